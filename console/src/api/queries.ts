import { QueryClient } from "@tanstack/react-query";
import { ServiceError } from "~/api/errors";

/**
 * A client whose invalidation holds for what is asked for the first time, too.
 *
 * Else the answer that is on its way counts as new, and it may tell what was before.
 */
class InvalidatingClient extends QueryClient {
  private readonly asksAgain = new WeakSet<Promise<unknown>>();

  override invalidateQueries: QueryClient["invalidateQueries"] = (filters, options) => {
    const asked = this.getQueryCache().findAll({ ...filters, fetchStatus: "fetching" });
    for (const { state, promise, queryKey } of asked) {
      if (state.data !== undefined || promise === undefined) continue;
      if (this.asksAgain.has(promise)) continue;
      this.asksAgain.add(promise);
      const again = () => super.invalidateQueries({ queryKey, exact: true });
      void promise.then(again, again);
    }
    return super.invalidateQueries(filters, options);
  };
}

export const queryClient = new InvalidatingClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What the service refuses it refuses again; what did not arrive may arrive.
      retry: (failures, error) =>
        failures < 2 && !(error instanceof ServiceError && error.status < 500),
      refetchIntervalInBackground: false,
    },
  },
});
