// FreeAvatar receiver for Unity: put it on a character and press play. Needs no package.
//
// Listens to what `freeavatar live … --to osc://` or `--to vmc://` sends and moves the blend shapes,
// head and eyes below this object. A frame is shown when it is whole, the latest one in each
// picture. Whatever arrives is untrusted: what is cut off, unknown or not finite is left out.
using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Sockets;
using System.Text;
using UnityEngine;

public class FreeAvatarReceiver : MonoBehaviour
{
    [Tooltip("UDP port: 9000 is usual for osc://, 39539 for vmc://. One receiver listens on a port.")]
    public int port = 9000;
    [Tooltip("Hear other machines too, not this one alone.")]
    public bool hearOtherMachines = false;
    [Tooltip("OSC address of one rig, such as /freeavatar/hero; empty takes whichever comes.")]
    public string prefix = "";
    [Tooltip("What turns with the head and eyes; empty keeps still.")]
    public Transform head, leftEye, rightEye;

    /// <summary>Called after a frame was shown, with its seconds since the performance began.</summary>
    public event Action<float> FrameShown;

    const int PacketsAPicture = 256;

    class Shape { public SkinnedMeshRenderer Mesh; public int Index; }
    class Joint { public Transform Bone; public Quaternion Rest, Place; }
    class Frame
    {
        public readonly Dictionary<string, float> Values = new Dictionary<string, float>();
        public readonly Dictionary<string, Quaternion> Turns = new Dictionary<string, Quaternion>();
        public float Time;
    }

    readonly Dictionary<string, List<Shape>> shapes = new Dictionary<string, List<Shape>>();
    readonly Dictionary<string, List<Shape>> shapesOfAnyCase =  // VMC says JawOpen
        new Dictionary<string, List<Shape>>(StringComparer.OrdinalIgnoreCase);
    readonly Dictionary<string, Joint> joints = new Dictionary<string, Joint>();
    UdpClient socket;
    Frame coming = new Frame();
    Frame whole;

    void OnEnable()
    {
        Find();
        var address = hearOtherMachines ? IPAddress.Any : IPAddress.Loopback;
        try { socket = new UdpClient(new IPEndPoint(address, port)); }
        catch (SocketException) { Debug.LogError("FreeAvatar: port " + port + " is taken; set another"); }
    }

    void OnDisable()
    {
        if (socket != null) socket.Close();
        socket = null;
    }

    void Update()
    {
        var sender = new IPEndPoint(IPAddress.Any, 0);
        for (var i = 0; socket != null && i < PacketsAPicture; i++)
        {
            // Not Available: it is 0 for a datagram without content, which would stay in the way.
            if (!socket.Client.Poll(0, SelectMode.SelectRead)) break;
            try { OscReader.Read(socket.Receive(ref sender), Hear); }
            catch (SocketException) { }  // an earlier sender is gone; the next packet is another's
        }
        if (whole != null) Show(whole);
        whole = null;
    }

    void Show(Frame frame)
    {
        foreach (var value in frame.Values)
            foreach (var shape in Called(value.Key))
                if (shape.Mesh != null) shape.Mesh.SetBlendShapeWeight(shape.Index, 100 * value.Value);
        foreach (var turn in frame.Turns)
        {
            Joint joint;
            if (!joints.TryGetValue(turn.Key, out joint) || joint.Bone == null) continue;
            joint.Bone.localRotation =
                joint.Rest * Quaternion.Inverse(joint.Place) * turn.Value * joint.Place;
        }
        if (FrameShown != null) FrameShown(frame.Time);
    }

    // ---- what there is to move

    void Find()
    {
        shapes.Clear();
        shapesOfAnyCase.Clear();
        joints.Clear();
        foreach (var mesh in GetComponentsInChildren<SkinnedMeshRenderer>())
            for (var i = 0; mesh.sharedMesh != null && i < mesh.sharedMesh.blendShapeCount; i++)
            {
                var name = mesh.sharedMesh.GetBlendShapeName(i);
                Remember(name, mesh, i);
                // Maya's FBX files put the deformer's name and a dot in front.
                var dot = name.LastIndexOf('.');
                if (dot >= 0) Remember(name.Substring(dot + 1), mesh, i);
            }
        if (shapes.Count == 0) Debug.LogWarning("FreeAvatar: nothing below has blend shapes");
        Remember("Head", head);
        Remember("LeftEye", leftEye);
        Remember("RightEye", rightEye);
    }

    void Remember(string name, SkinnedMeshRenderer mesh, int index)
    {
        foreach (var known in new[] { shapes, shapesOfAnyCase })
        {
            if (!known.ContainsKey(name)) known[name] = new List<Shape>();
            known[name].Add(new Shape { Mesh = mesh, Index = index });
        }
    }

    List<Shape> Called(string name)
    {
        List<Shape> found;
        if (!shapes.TryGetValue(name, out found)) shapesOfAnyCase.TryGetValue(name, out found);
        return found;
    }

    void Remember(string role, Transform bone)
    {
        if (bone == null) return;
        var place = Quaternion.Inverse(transform.rotation) * bone.rotation;
        joints[role] = new Joint { Bone = bone, Rest = bone.localRotation, Place = place };
    }

    // ---- what the frames say

    void Hear(string address, List<object> values)
    {
        if (address.StartsWith("/VMC/Ext/", StringComparison.Ordinal)) HearVmc(address.Substring(9), values);
        else HearOsc(address, values);
    }

    void HearOsc(string address, List<object> values)
    {
        var slash = address.LastIndexOf('/');
        var start = address.Substring(0, slash);
        if (prefix != "" ? start != prefix : !start.StartsWith("/freeavatar/", StringComparison.Ordinal))
            return;
        var name = address.Substring(slash + 1);
        if (name == "head") Turn("Head", values, 0, 3, 0);
        else if (name == "eyes")
        {
            Turn("LeftEye", values, 0, 6, 0);
            Turn("RightEye", values, 0, 6, 3);
        }
        else if (name == "time") KeepTime(values);
        else if (name == "found") Finish();
        else Keep(Uri.UnescapeDataString(name), values, 0);
    }

    void HearVmc(string address, List<object> values)
    {
        var name = values.Count > 0 ? values[0] as string : null;
        if (address == "T") KeepTime(values);
        else if (address == "Blend/Val" && name != null) Keep(name, values, 1);
        else if (address == "Blend/Apply") Finish();
        else if (address == "Bone/Pos" && name != null && joints.ContainsKey(name) && AreNumbers(values, 1, 7))
            coming.Turns[name] = Normalized(
                (float)values[4], (float)values[5], (float)values[6], (float)values[7]);
    }

    void Keep(string name, List<object> values, int place)
    {
        if (AreNumbers(values, place, 1) && Called(name) != null) coming.Values[name] = (float)values[place];
    }

    void KeepTime(List<object> values)
    {
        if (AreNumbers(values, 0, 1)) coming.Time = (float)values[0];
    }

    void Finish()
    {
        whole = coming;
        coming = new Frame { Time = whole.Time };
    }

    // Radians: yaw + to the character's right, pitch + down, roll + to the right shoulder. Unity's
    // x axis is mirrored.
    void Turn(string role, List<object> values, int first, int count, int place)
    {
        if (!AreNumbers(values, first, count) || !joints.ContainsKey(role)) return;
        coming.Turns[role] = About(1, (float)values[place]) * About(0, (float)values[place + 1])
            * About(2, -(float)values[place + 2]);
    }

    static Quaternion About(int axis, float angle)
    {
        var sine = (float)Math.Sin(angle / 2);
        return new Quaternion(axis == 0 ? sine : 0, axis == 1 ? sine : 0, axis == 2 ? sine : 0,
            (float)Math.Cos(angle / 2));
    }

    static Quaternion Normalized(float x, float y, float z, float w)
    {
        var length = (float)Math.Sqrt(x * x + y * y + z * z + w * w);
        if (!(length > 0.001f) || float.IsInfinity(length)) return new Quaternion(0, 0, 0, 1);
        return new Quaternion(x / length, y / length, z / length, w / length);
    }

    static bool AreNumbers(List<object> values, int first, int count)
    {
        if (values.Count < first + count) return false;
        for (var i = first; i < first + count; i++)
        {
            var number = values[i] is float ? (float)values[i] : float.NaN;
            if (float.IsNaN(number) || float.IsInfinity(number)) return false;
        }
        return true;
    }
}

/// <summary>Reads OSC 1.0: i f s b T F, bundles in bundles; knows nothing of Unity.</summary>
public static class OscReader
{
    const int DeepestBundle = 8;
    const int BundleHeader = 16;  // "#bundle", its zero byte and the time tag

    /// <summary>Calls <paramref name="hear"/> for each message; leaves out what is broken.</summary>
    public static void Read(byte[] packet, Action<string, List<object>> hear)
    {
        Open(packet, 0, packet.Length, 0, hear);
    }

    static void Open(byte[] packet, int at, int end, int depth, Action<string, List<object>> hear)
    {
        var begin = at;
        if (Text(packet, ref at, end) != "#bundle")
        {
            Message(packet, begin, end, hear);
            return;
        }
        if (depth == DeepestBundle) return;
        at = begin + BundleHeader;
        while (at + 4 <= end)
        {
            var size = Integer(packet, at);
            at += 4;
            if (size <= 0 || size % 4 != 0 || size > end - at) return;
            Open(packet, at, at + size, depth + 1, hear);
            at += size;
        }
    }

    static void Message(byte[] packet, int at, int end, Action<string, List<object>> hear)
    {
        var address = Text(packet, ref at, end);
        var tags = Text(packet, ref at, end);
        if (string.IsNullOrEmpty(address) || string.IsNullOrEmpty(tags)) return;
        if (address[0] != '/' || tags[0] != ',') return;
        var values = new List<object>();
        foreach (var tag in tags.Substring(1))
        {
            if (tag == 'T' || tag == 'F') values.Add(tag == 'T');
            else if (tag == 's') values.Add(Text(packet, ref at, end) ?? "");
            else if (tag == 'i' || tag == 'f' || tag == 'b')
            {
                if (at + 4 > end) return;
                var number = Integer(packet, at);
                at += 4;
                if (tag == 'f') values.Add(BitConverter.ToSingle(BitConverter.GetBytes(number), 0));
                else values.Add(number);
                if (tag != 'b') continue;
                if (number < 0 || number > end - at) return;
                at = Math.Min(end, at + (number + 3) / 4 * 4);
            }
            else return;
        }
        hear(address, values);
    }

    // Texts fill blocks of four bytes with zeros, so every fourth byte tells the end.
    static string Text(byte[] packet, ref int at, int end)
    {
        var last = at + 3;
        while (last < end && packet[last] != 0) last += 4;
        var begin = at;
        at = Math.Min(last + 1, end);
        if (last >= end) return null;
        while (last > begin && packet[last - 1] == 0) last--;
        return Encoding.UTF8.GetString(packet, begin, last - begin);
    }

    static int Integer(byte[] packet, int at)
    {
        return packet[at] << 24 | packet[at + 1] << 16 | packet[at + 2] << 8 | packet[at + 3];
    }
}
