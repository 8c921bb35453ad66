import type { SourceChoice } from "~/recorder/types";

export interface Device {
  id: string;
  label: string;
}

export interface Devices {
  cameras: Device[];
  microphones: Device[];
}

/** A source that is open. */
export interface Source {
  /** What is recorded. */
  stream: MediaStream;
  close: () => void;
}

/**
 * Open what is to be recorded; the browser asks the person for it.
 *
 * @throws DOMException as `getUserMedia` and `getDisplayMedia` do
 */
export async function openSource(choice: SourceChoice): Promise<Source> {
  const { mediaDevices } = navigator;
  const audio = choice.microphone !== null && { deviceId: prefer(choice.microphone) };
  if (choice.kind === "microphone") {
    return closable(await mediaDevices.getUserMedia({ audio: audio || true }));
  }
  if (choice.kind === "camera") {
    const video = { deviceId: prefer(choice.camera), height: { ideal: choice.height } };
    return closable(await mediaDevices.getUserMedia({ video, audio }));
  }
  const video = { height: { max: choice.height } };
  const screen = await mediaDevices.getDisplayMedia({ video, audio: true });
  if (audio === false) return closable(screen);
  try {
    return mixed(screen, await mediaDevices.getUserMedia({ audio }));
  } catch (error) {
    stop(screen);
    throw error;
  }
}

/** Return the devices there are. Their names are known only after one of them was allowed. */
export async function listDevices(): Promise<Devices> {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const of = (kind: MediaDeviceKind, word: string) =>
    all
      .filter((device) => device.kind === kind && device.deviceId !== "")
      .map(({ deviceId, label }, at) => ({ id: deviceId, label: label || `${word} ${at + 1}` }));
  return { cameras: of("videoinput", "Camera"), microphones: of("audioinput", "Microphone") };
}

function prefer(deviceId: string): ConstrainDOMString | undefined {
  return deviceId === "" ? undefined : { exact: deviceId };
}

function closable(stream: MediaStream): Source {
  return { stream, close: () => stop(stream) };
}

/** Recorders take one track of sound: that of the screen and the microphone's become one. */
function mixed(screen: MediaStream, microphone: MediaStream): Source {
  const context = new AudioContext();
  const mix = context.createMediaStreamDestination();
  for (const stream of [screen, microphone]) {
    if (stream.getAudioTracks().length > 0) context.createMediaStreamSource(stream).connect(mix);
  }
  return {
    stream: new MediaStream([...screen.getVideoTracks(), ...mix.stream.getAudioTracks()]),
    close: () => {
      stop(screen);
      stop(microphone);
      void context.close();
    },
  };
}

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
