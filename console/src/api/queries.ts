import { QueryClient } from "@tanstack/react-query";
import { ServiceError } from "~/api/errors";

export const queryClient = new QueryClient({
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
