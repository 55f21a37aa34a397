# Prints what the meshes show after each frame, one JSON object a line.
extends Node

const ODD_NAMES = ["jaw open", "Grimace/left", "head", "a+b 50% é", "Jawopen"]

var faces = []


func _ready():
	faces = [get_node("../mannequin/Skeleton/surface"), _odd_face()]
	get_node("../mannequin").add_child(faces[1])
	var receiver = get_node("../Receiver")
	receiver.port = int(OS.get_environment("FREEAVATAR_TEST_PORT"))
	receiver.connect("frame_shown", self, "_shown")
	receiver.connect("ready", self, "_listening")


func _listening():
	print("{\"ready\": true}")


# One triangle, moved by shapes whose names are hard to write in an OSC address.
func _odd_face():
	var mesh = ArrayMesh.new()
	var arrays = []
	arrays.resize(Mesh.ARRAY_MAX)
	arrays[Mesh.ARRAY_VERTEX] = PoolVector3Array([Vector3(), Vector3.UP, Vector3.RIGHT])
	var moved = []
	for name in ODD_NAMES:
		mesh.add_blend_shape(name)
		moved.append(arrays.duplicate())
	mesh.add_surface_from_arrays(Mesh.PRIMITIVE_TRIANGLES, arrays, moved)
	var face = MeshInstance.new()
	face.mesh = mesh
	return face


func _shown(time):
	var weights = {}
	for face in faces:
		for property in face.get_property_list():
			if property.name.begins_with("blend_shapes/"):
				weights[property.name.substr(13)] = face.get(property.name)
	var skeleton = get_node("../mannequin/Skeleton")
	var head = skeleton.get_bone_global_pose(skeleton.find_bone("head")).basis
	var turned = {"head": _columns(head)}
	turned["left_eye"] = _columns(skeleton.find_node("eye_left", true, false).transform.basis)
	turned["right_eye"] = _columns(skeleton.find_node("eye_right", true, false).transform.basis)
	print(to_json({"time": time, "weights": weights, "turned": turned}))


func _columns(basis):
	var columns = []
	for axis in [basis.x, basis.y, basis.z]:
		columns.append([axis.x, axis.y, axis.z])
	return columns
