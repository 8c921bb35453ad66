import { notifications } from "@mantine/notifications";
import { messageOf } from "~/api/errors";

/** Say that what somebody asked for did not work, and why. */
export function tellFailure(error: unknown): void {
  notifications.show({ color: "red", title: "That did not work", message: messageOf(error) });
}
