// Loads a VRM animation as web players do and prints its tracks as JSON; with an avatar and times
// it also plays it and prints what the avatar shows: node vrma.mjs FILE.vrma [FILE.vrm T,T,...]
import { readFile } from "node:fs/promises";
import { VRMLoaderPlugin } from "@pixiv/three-vrm";
import {
  createVRMAnimationClip,
  VRMAnimationLoaderPlugin,
  VRMLookAtQuaternionProxy,
} from "@pixiv/three-vrm-animation";
import { AnimationMixer, LoopOnce } from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";

// three writes its warnings to the console; the last line of stdout is the answer.
const warnings = [];
console.warn = (...said) => warnings.push(said.join(" "));

async function load(path, Plugin) {
  const loader = new GLTFLoader();
  loader.register((parser) => new Plugin(parser));
  const { buffer, byteOffset, byteLength } = await readFile(path);
  return loader.parseAsync(buffer.slice(byteOffset, byteOffset + byteLength), "");
}

const track = (found) => found && { times: [...found.times], values: [...found.values] };
const tracks = (map) => Object.fromEntries([...map].map(([name, found]) => [name, track(found)]));

function play(animation, vrm, times) {
  const proxy = new VRMLookAtQuaternionProxy(vrm.lookAt);
  proxy.name = "gaze";
  vrm.scene.add(proxy);
  const mixer = new AnimationMixer(vrm.scene);
  const action = mixer.clipAction(createVRMAnimationClip(animation, vrm));
  action.setLoop(LoopOnce).play();
  action.clampWhenFinished = true;
  return times.map((time) => {
    mixer.setTime(time);
    const { expressionMap } = vrm.expressionManager;
    const entries = Object.entries(expressionMap).map(([name, shown]) => [name, shown.weight]);
    return {
      weights: Object.fromEntries(entries),
      head: vrm.humanoid.getNormalizedBoneNode("head").quaternion.toArray(),
      yaw: vrm.lookAt.yaw,
      pitch: vrm.lookAt.pitch,
    };
  });
}

const [file, avatar, times] = process.argv.slice(2);
const { vrmAnimations } = (await load(file, VRMAnimationLoaderPlugin)).userData;
const [animation] = vrmAnimations;
const answer = {
  animations: vrmAnimations.length,
  duration: animation.duration,
  hips: animation.restHipsPosition.y,
  preset: tracks(animation.expressionTracks.preset),
  custom: tracks(animation.expressionTracks.custom),
  bones: tracks(animation.humanoidTracks.rotation),
  moved: tracks(animation.humanoidTracks.translation),
  gaze: track(animation.lookAtTrack),
};
if (avatar) {
  const { vrm } = (await load(avatar, VRMLoaderPlugin)).userData;
  answer.moments = play(animation, vrm, times.split(",").map(Number));
}
console.log(JSON.stringify({ ...answer, warnings }));
