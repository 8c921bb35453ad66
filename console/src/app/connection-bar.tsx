import { Alert } from "@mantine/core";
import { IconPlugConnectedX } from "@tabler/icons-react";
import { useConnection } from "~/api/events";

/** Says that the service cannot be reached, for as long as it cannot. */
export function ConnectionBar() {
  if (useConnection() !== "lost") return null;
  return (
    <Alert
      color="orange"
      icon={<IconPlugConnectedX aria-hidden />}
      title="The service cannot be reached"
      mb="md"
      role="status"
    >
      What you see may be old. It is tried again by itself; nothing that the service has
      acknowledged is lost.
    </Alert>
  );
}
