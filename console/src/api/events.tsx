import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";

/** What happened to a job, or where it stands; see the reference of `/events`. */
export interface JobHappening {
  job: string;
  kind: (typeof JOB_EVENT_KINDS)[number];
  at: string;
  actor?: string;
  detail?: Record<string, unknown>;
  status: string;
  progress: number;
}

export const JOB_EVENT_KINDS = [
  "state",
  "progress",
  "enqueued",
  "started",
  "signalled",
  "retrying",
  "paused",
  "resumed",
  "cancelled",
  "completed",
  "errored",
  "taken_over",
  "handed_back",
] as const;

export type Connection = "connecting" | "open" | "lost";

type Listener = (happening: JobHappening) => void;

const RETRY_MILLISECONDS = 2_000;

/**
 * The one stream of job events of this page.
 *
 * It is closed while the page is hidden, and goes on after the last event when it is seen again.
 */
class JobEvents {
  private source: EventSource | null = null;
  private after: string | null = null;
  private retrying: number | undefined;
  private readonly listeners = new Set<Listener>();
  private readonly watchers = new Set<() => void>();
  connection: Connection = "connecting";

  start(): () => void {
    const look = () => (document.hidden ? this.rest() : this.open());
    document.addEventListener("visibilitychange", look);
    look();
    return () => {
      document.removeEventListener("visibilitychange", look);
      this.close();
    };
  }

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  private open(): void {
    if (this.source !== null) return;
    const source = new EventSource(this.after === null ? "/events" : `/events?after=${this.after}`);
    this.source = source;
    source.onopen = () => this.become("open");
    source.onerror = () => {
      // The browser itself tries again only after some errors.
      this.become("lost");
      this.close();
      this.retrying = window.setTimeout(() => this.open(), RETRY_MILLISECONDS);
    };
    for (const kind of JOB_EVENT_KINDS) {
      source.addEventListener(kind, (event: MessageEvent<string>) => {
        if (event.lastEventId !== "") this.after = event.lastEventId;
        const happening = JSON.parse(event.data) as JobHappening;
        for (const listener of this.listeners) listener(happening);
      });
    }
  }

  /** Hear nothing for a while. Who follows events sees by it that there may be some to catch up. */
  private rest(): void {
    this.close();
    if (this.connection === "open") this.become("connecting");
  }

  private close(): void {
    window.clearTimeout(this.retrying);
    this.source?.close();
    this.source = null;
  }

  private become(connection: Connection): void {
    this.connection = connection;
    for (const watcher of this.watchers) watcher();
  }
}

const Context = createContext<JobEvents | null>(null);

export function JobEventsProvider({ children }: { children: ReactNode }) {
  const [events] = useState(() => new JobEvents());
  useEffect(() => events.start(), [events]);
  return <Context value={events}>{children}</Context>;
}

function useEvents(): JobEvents {
  const events = useContext(Context);
  if (events === null) throw new Error("JobEventsProvider is missing.");
  return events;
}

/** Call `listener` with whatever happens to any job while the component is shown. */
export function useJobEvents(listener: Listener): void {
  const events = useEvents();
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => events.listen((happening) => latest.current(happening)), [events]);
}

/** Tell whether the service can be reached, as far as its stream of events shows. */
export function useConnection(): Connection {
  const events = useEvents();
  return useSyncExternalStore(events.watch, () => events.connection);
}
