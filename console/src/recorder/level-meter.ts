const SAMPLES = 1024;
/** What is quieter than this is shown as silence: decibels below the loudest. */
const SILENCE = -60;

/** How loud a stream's sound is. */
export class LevelMeter {
  private readonly context = new AudioContext();
  private readonly analyser = this.context.createAnalyser();
  private readonly samples = new Float32Array(SAMPLES);

  constructor(stream: MediaStream) {
    this.analyser.fftSize = SAMPLES;
    this.context.createMediaStreamSource(stream).connect(this.analyser);
  }

  /** Return the level now, from 0 (silence) to 1 (the loudest there is), as ears hear it. */
  level(): number {
    this.analyser.getFloatTimeDomainData(this.samples);
    let sum = 0;
    for (const sample of this.samples) sum += sample * sample;
    const decibels = 10 * Math.log10(sum / SAMPLES + 1e-12);
    return Math.min(Math.max(1 - decibels / SILENCE, 0), 1);
  }

  close(): void {
    void this.context.close();
  }
}
