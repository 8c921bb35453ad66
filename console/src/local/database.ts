/** What this browser keeps between visits, in IndexedDB. */

const NAME = "mediatheque";
const VERSION = 1;

type StoreName = "uploads" | "recordings" | "chunks";

let opened: Promise<IDBDatabase> | undefined;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      const { result } = request;
      result.createObjectStore("uploads", { keyPath: "id" }).createIndex("owner", "owner");
      result.createObjectStore("recordings", { keyPath: "id" }).createIndex("owner", "owner");
      result
        .createObjectStore("chunks", { keyPath: ["recording", "index"] })
        .createIndex("recording", "recording");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

/**
 * One kind of thing that is kept.
 *
 * Every method rejects where the browser keeps nothing, for example in some private windows.
 */
export class Table<T> {
  constructor(private readonly name: StoreName) {}

  async all(): Promise<T[]> {
    const store = (await database()).transaction(this.name).objectStore(this.name);
    return result<T[]>(store.getAll());
  }

  /** Return what has `value` in an index, in the order of the keys. */
  async where(index: string, value: IDBValidKey): Promise<T[]> {
    const store = (await database()).transaction(this.name).objectStore(this.name);
    return result<T[]>(store.index(index).getAll(value));
  }

  /** Keep and forget, all or nothing. */
  async change(puts: T[], deletes: IDBValidKey[] = []): Promise<void> {
    const transaction = (await database()).transaction(this.name, "readwrite");
    const store = transaction.objectStore(this.name);
    for (const value of puts) store.put(value);
    for (const key of deletes) store.delete(key);
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
  }
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
