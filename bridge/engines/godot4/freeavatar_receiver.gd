# FreeAvatar receiver for Godot 4; ../godot has the same script for Godot 3.
#
# Listens to what `freeavatar live … --to osc://` or `--to vmc://` sends and moves the blend shapes,
# head and eyes under `target`. A frame is shown when it is whole, the latest one in each picture.
# Whatever arrives is untrusted: what is cut off, unknown or not finite is left out.
extends Node

# Sent after a frame was shown, with its seconds since the performance began.
signal frame_shown(time)

const PACKETS_A_PICTURE = 256
const DEEPEST_BUNDLE = 8
const VMC_BONES = {"Head": "head", "LeftEye": "left_eye", "RightEye": "right_eye"}

# UDP port: 9000 is usual for osc://, 39539 for vmc://. One receiver listens on a port.
@export var port: int = 9000
# Address to listen at: "127.0.0.1" hears this machine only, "*" everyone.
@export var listen_at: String = "127.0.0.1"
# OSC address of one rig, such as "/freeavatar/hero"; empty takes whichever comes.
@export var prefix: String = ""
# Everything under this node is moved.
@export var target: NodePath = NodePath("..")
# Names of the bones or nodes that turn; leave empty what should keep still.
@export var head: String = "head"
@export var left_eye: String = "eye_left"
@export var right_eye: String = "eye_right"

var _socket = PacketPeerUDP.new()
var _shapes = {}  # name: list of [mesh node, property]
var _shapes_of_any_case = {}  # the same by name in small letters: VMC says JawOpen
var _joints = {}  # role: node, bone, rest (in its parent), place (in the rig)
var _values = {}  # of the frame that is arriving: name: value
var _turns = {}  # role: basis
var _time = 0.0
var _whole = {}  # the latest whole frame: values, turns, time


func _ready():
	var root = get_node_or_null(target)
	if root == null:
		push_error("FreeAvatar: there is no node %s to move; set target" % target)
		return
	_find(root, root)
	if _shapes.is_empty():
		push_warning("FreeAvatar: nothing under %s has blend shapes" % target)
	if _socket.bind(port, listen_at) != OK:
		push_error("FreeAvatar: port %d is taken; close the other program or set port" % port)


func _exit_tree():
	_socket.close()


func _process(_delta):
	for _i in range(PACKETS_A_PICTURE):
		if _socket.get_available_packet_count() <= 0:
			break
		var packet = StreamPeerBuffer.new()
		packet.big_endian = true
		packet.data_array = _socket.get_packet()
		_open(packet, packet.get_size(), 0)
	if not _whole.is_empty():
		_show(_whole)
		_whole = {}


func _show(frame):
	for shape_name in frame.values:
		for shape in _shapes_called(shape_name):
			if is_instance_valid(shape[0]):
				shape[0].set(shape[1], frame.values[shape_name])
	for role in frame.turns:
		if _joints.has(role) and is_instance_valid(_joints[role].node):
			_turn(_joints[role], frame.turns[role])
	emit_signal("frame_shown", frame.time)


# ---- what the frames say

func _hear(address, values):
	if address.begins_with("/VMC/Ext/"):
		_hear_vmc(address.substr(9), values)
		return
	var slash = address.rfind("/")
	var start = address.substr(0, slash)
	if start != prefix and (prefix != "" or not start.begins_with("/freeavatar/")):
		return
	match address.substr(slash + 1):
		"head":
			if _are_numbers(values, 0, 3):
				_turns["head"] = _from_angles(values, 0)
		"eyes":
			if _are_numbers(values, 0, 6):
				_turns["left_eye"] = _from_angles(values, 0)
				_turns["right_eye"] = _from_angles(values, 3)
		"time":
			if _are_numbers(values, 0, 1):
				_time = values[0]
		"found":
			_finish()
		var encoded:
			_keep(encoded.replace("+", "%2B").uri_decode(), values, 0)


func _hear_vmc(address, values):
	match address:
		"T":
			if _are_numbers(values, 0, 1):
				_time = values[0]
		"Blend/Val":
			if values.size() >= 2 and typeof(values[0]) == TYPE_STRING:
				_keep(values[0], values, 1)
		"Blend/Apply":
			_finish()
		"Bone/Pos":
			if _are_numbers(values, 1, 7) and typeof(values[0]) == TYPE_STRING:
				_turns[VMC_BONES.get(values[0], "")] = _from_unity(values)


func _keep(shape_name, values, place):
	if _are_numbers(values, place, 1) and not _shapes_called(shape_name).is_empty():
		_values[shape_name] = values[place]


func _finish():
	_whole = {"values": _values, "turns": _turns, "time": _time}
	_values = {}
	_turns = {}


func _are_numbers(values, first, count):
	if values.size() < first + count:
		return false
	for i in range(first, first + count):
		if typeof(values[i]) != TYPE_FLOAT or is_nan(values[i]) or is_inf(values[i]):
			return false
	return true


# Yaw + turns to the character's right, pitch + looks down, roll + tilts to the right shoulder.
func _from_angles(values, first):
	var yaw = Basis(Vector3.UP, -values[first])
	var pitch = Basis(Vector3.RIGHT, values[first + 1])
	return yaw * pitch * Basis(Vector3.BACK, values[first + 2])


# Unity's axes have x mirrored; a quaternion without a sensible length turns nothing.
func _from_unity(values):
	var turn = Quaternion(values[4], -values[5], -values[6], values[7])
	var is_fit = turn.length() > 0.001 and turn.length() < 1000.0
	return Basis(turn.normalized()) if is_fit else Basis()


# ---- OSC 1.0: i f s b T F, bundles in bundles

func _open(packet, end, depth):
	var begin = packet.get_position()
	if _text(packet, end) != "#bundle":
		packet.seek(begin)
		_message(packet, end)
		return
	if depth == DEEPEST_BUNDLE:
		return
	var at = begin + 16
	while at + 4 <= end:
		packet.seek(at)
		var size = packet.get_32()
		at += 4
		if size <= 0 or size % 4 != 0 or size > end - at:
			return
		_open(packet, at + size, depth + 1)
		at += size


func _message(packet, end):
	var address = _text(packet, end)
	var tags = _text(packet, end)
	if not address.begins_with("/") or not tags.begins_with(","):
		return
	var values = []
	for i in range(1, tags.length()):
		var left = end - packet.get_position()
		match tags[i]:
			"T":
				values.append(true)
			"F":
				values.append(false)
			"s":
				values.append(_text(packet, end))
			"i", "f", "b":
				if left < 4:
					return
				var number = packet.get_float() if tags[i] == "f" else packet.get_32()
				values.append(number)
				if tags[i] == "b":
					if number < 0 or number > left - 4:
						return
					packet.seek(int(min(end, packet.get_position() + (number + 3) / 4 * 4)))
			_:
				return
	_hear(address, values)


# Text up to its zero byte; texts fill blocks of four bytes, so every fourth byte tells the end.
func _text(packet, end):
	var begin = packet.get_position()
	var bytes = packet.data_array
	var last = begin + 3
	while last < end and bytes[last] != 0:
		last += 4
	if last >= end:
		packet.seek(end)
		return ""
	packet.seek(last + 1)
	while last > begin and bytes[last - 1] == 0:
		last -= 1
	return "" if last == begin else bytes.slice(begin, last).get_string_from_utf8()


# ---- what there is to move

func _shapes_called(shape_name):
	return _shapes.get(shape_name, _shapes_of_any_case.get(shape_name.to_lower(), []))


func _find(node, root):
	if node is MeshInstance3D:
		for property in node.get_property_list():
			if property.name.begins_with("blend_shapes/"):
				_remember(property.name.substr(13), [node, property.name])
	for role in ["head", "left_eye", "right_eye"]:
		var wanted = get(role)
		var bone = node.find_bone(wanted) if node is Skeleton3D else -1
		if wanted != "" and not _joints.has(role) and (bone >= 0 or node.name == wanted):
			if bone >= 0 or node is Node3D:
				_joints[role] = _joint(node, bone, root)
	for child in node.get_children():
		_find(child, root)


func _remember(shape_name, shape):
	_shapes[shape_name] = _shapes.get(shape_name, []) + [shape]
	var small = shape_name.to_lower()
	_shapes_of_any_case[small] = _shapes_of_any_case.get(small, []) + [shape]


func _joint(node, bone, root):
	var place = node.global_transform.basis
	if root is Node3D:
		place = root.global_transform.basis.inverse() * place
	var rest = node.transform.basis
	if bone >= 0:
		rest = node.get_bone_rest(bone).basis
		var chain = Basis()
		var above = bone
		while above >= 0:
			chain = node.get_bone_rest(above).basis * chain
			above = node.get_bone_parent(above)
		place = place * chain
	return {"node": node, "bone": bone, "rest": rest, "place": place.orthonormalized()}


# Turns happen in the rig's axes, wherever the bone's own axes point.
func _turn(joint, turn):
	var own = joint.place.inverse() * turn * joint.place
	if joint.bone < 0:
		joint.node.transform.basis = joint.rest * own
	else:
		joint.node.set_bone_pose_rotation(joint.bone, Quaternion((joint.rest * own).orthonormalized()))
