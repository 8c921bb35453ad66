import { ServiceError } from "~/api/errors";
import { deleteMedia } from "~/api/library";
import { askBeforeLeaving } from "~/local/leaving";

/** How long a deletion can be undone. */
const GRACE_MILLISECONDS = 8_000;
/** Browsers refuse more requests at a time that may outlive their page, about 250 of them. */
const AT_ONCE = 100;

/** A media that is to be deleted, with everything that was made of it. */
export interface Doomed {
  id: string;
  filename: string;
}

export interface Failure {
  media: Doomed;
  error: unknown;
}

/** Who wants to hear when a deletion can no longer be undone, and what could not be deleted. */
export interface Audience {
  begun: () => void;
  ended: (failures: Failure[]) => void;
}

/** Medias that are deleted together once their time has passed, unless that is undone before. */
export class Deletion {
  private timer: number | undefined;
  private isDecided = false;

  constructor(
    readonly medias: readonly Doomed[],
    private readonly owner: Deletions,
    private readonly audience: Audience,
  ) {
    this.run();
  }

  /** Let the time begin anew. */
  run = (): void => {
    this.hold();
    if (!this.isDecided) this.timer = window.setTimeout(this.carryOut, GRACE_MILLISECONDS);
  };

  /** Let no time pass, while somebody is about to decide. */
  hold = (): void => window.clearTimeout(this.timer);

  undo = (): void => {
    this.decide();
    this.owner.end(this, []);
  };

  /**
   * Delete now. The first requests are on their way when this returns, so that the page may be
   * left; the browser asks before it is left while more are to come.
   */
  carryOut = (): void => {
    this.decide();
    this.owner.begin(this);
    this.audience.begun();
    void attemptAll(this.medias).then((failures) => {
      const kept = failures.map(({ media }) => media);
      this.owner.end(
        this,
        this.medias.filter((media) => !kept.includes(media)),
      );
      this.audience.ended(failures);
    });
  };

  private decide(): void {
    this.hold();
    this.isDecided = true;
  }
}

/** Delete medias, some at a time. Returns those that are still there. */
async function attemptAll(medias: readonly Doomed[]): Promise<Failure[]> {
  const failures: Failure[] = [];
  const reason = `deletion of ${medias[0]?.id}`;
  for (let begin = 0; begin < medias.length; begin += AT_ONCE) {
    askBeforeLeaving(reason, begin + AT_ONCE < medias.length);
    const results = await Promise.all(medias.slice(begin, begin + AT_ONCE).map(attempt));
    failures.push(...results.filter((result) => result !== null));
  }
  return failures;
}

async function attempt(media: Doomed): Promise<Failure | null> {
  try {
    await deleteMedia(media.id);
  } catch (error) {
    // What is gone already is as it was wished to be.
    if (!(error instanceof ServiceError && error.status === 404)) return { media, error };
  }
  return null;
}

/** All deletions that were begun on this page. */
class Deletions {
  /** Ids of the medias that are to be deleted, or are being deleted. */
  pending: ReadonlySet<string> = new Set();
  /** Ids of those that were deleted, which lists that are held may still have. */
  deleted: ReadonlySet<string> = new Set();
  private readonly waiting = new Set<Deletion>();
  private readonly watchers = new Set<() => void>();

  constructor() {
    window.addEventListener("pagehide", () => {
      for (const deletion of this.waiting) deletion.carryOut();
    });
  }

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  /** Delete medias when their time has passed. */
  plan(medias: readonly Doomed[], audience: Audience): Deletion {
    const deletion = new Deletion(medias, this, audience);
    this.waiting.add(deletion);
    this.pending = new Set([...this.pending, ...idsOf(medias)]);
    this.tell();
    return deletion;
  }

  /** The deletion that a media waits for, which can still be undone. */
  waitingFor(id: string): Deletion | undefined {
    return [...this.waiting].find(({ medias }) => medias.some((media) => media.id === id));
  }

  begin(deletion: Deletion): void {
    this.waiting.delete(deletion);
    this.tell();
  }

  end(deletion: Deletion, deleted: readonly Doomed[]): void {
    this.waiting.delete(deletion);
    const ended = new Set(idsOf(deletion.medias));
    this.pending = new Set([...this.pending].filter((id) => !ended.has(id)));
    this.deleted = new Set([...this.deleted, ...idsOf(deleted)]);
    this.tell();
  }

  private tell(): void {
    for (const watcher of this.watchers) watcher();
  }
}

function idsOf(medias: readonly Doomed[]): string[] {
  return medias.map(({ id }) => id);
}

export const deletions = new Deletions();
