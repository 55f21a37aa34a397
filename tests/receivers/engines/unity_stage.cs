// As much of Unity as FreeAvatarReceiver.cs uses, and a program that prints what a mesh was told.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Reflection;
using System.Threading;

namespace UnityEngine
{
    public class TooltipAttribute : Attribute { public TooltipAttribute(string text) { } }

    public static class Debug
    {
        public static void LogError(object text) { Console.Error.WriteLine(text); }
        public static void LogWarning(object text) { Console.Error.WriteLine(text); }
    }

    public struct Quaternion
    {
        public float x, y, z, w;

        public Quaternion(float x, float y, float z, float w)
        {
            this.x = x; this.y = y; this.z = z; this.w = w;
        }

        public static Quaternion Inverse(Quaternion q) { return new Quaternion(-q.x, -q.y, -q.z, q.w); }

        public static Quaternion operator *(Quaternion a, Quaternion b)
        {
            return new Quaternion(
                a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
                a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x,
                a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w,
                a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z);
        }
    }

    public class Transform
    {
        public Quaternion rotation = new Quaternion(0, 0, 0, 1), localRotation = new Quaternion(0, 0, 0, 1);
    }

    public class Mesh
    {
        public string[] Names;
        public int blendShapeCount { get { return Names.Length; } }
        public string GetBlendShapeName(int index) { return Names[index]; }
    }

    public class SkinnedMeshRenderer
    {
        public Mesh sharedMesh;
        public Dictionary<string, float> Weights = new Dictionary<string, float>();
        public void SetBlendShapeWeight(int index, float weight) { Weights[sharedMesh.Names[index]] = weight; }
    }

    public class MonoBehaviour
    {
        public Transform transform = new Transform();
        public object[] Components = new object[0];
        public T[] GetComponentsInChildren<T>() { return Components.OfType<T>().ToArray(); }
    }
}

public static class Stage
{
    static string Number(float value) { return value.ToString("R", CultureInfo.InvariantCulture); }

    static string Turned(UnityEngine.Transform bone)
    {
        var q = bone.localRotation;
        return "[" + string.Join(",", new[] { q.x, q.y, q.z, q.w }.Select(Number)) + "]";
    }

    static void Call(object on, string method)
    {
        on.GetType().GetMethod(method, BindingFlags.NonPublic | BindingFlags.Instance).Invoke(on, null);
    }

    // Arguments: the port, then the names of blend shapes.
    public static void Main(string[] arguments)
    {
        var mesh = new UnityEngine.Mesh { Names = arguments.Skip(1).ToArray() };
        var face = new UnityEngine.SkinnedMeshRenderer { sharedMesh = mesh };
        var receiver = new FreeAvatarReceiver { port = int.Parse(arguments[0]) };
        receiver.Components = new object[] { face };
        receiver.head = new UnityEngine.Transform();
        receiver.leftEye = new UnityEngine.Transform();
        receiver.rightEye = new UnityEngine.Transform();
        // A head bone whose own axes lie otherwise, as in most characters: a quarter turn about x.
        var half = (float)Math.Sqrt(0.5);
        receiver.head.rotation = receiver.head.localRotation = new UnityEngine.Quaternion(half, 0, 0, half);
        receiver.FrameShown += time => Console.WriteLine(
            "{\"time\":" + Number(time) + ",\"weights\":{"
            + string.Join(",", face.Weights.Select(w => "\"" + w.Key + "\":" + Number(w.Value)))
            + "},\"turned\":{\"head\":" + Turned(receiver.head) + ",\"left_eye\":" + Turned(receiver.leftEye)
            + ",\"right_eye\":" + Turned(receiver.rightEye) + "}}");
        Call(receiver, "OnEnable");
        Console.WriteLine("{\"ready\":true}");
        while (true)
        {
            Call(receiver, "Update");
            Thread.Sleep(5);
        }
    }
}
