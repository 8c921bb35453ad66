import { Alert, Button, Center, Stack, Text, ThemeIcon, Title } from "@mantine/core";
import { type Icon, IconAlertTriangle, IconMapOff } from "@tabler/icons-react";
import { type ErrorComponentProps, Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { messageOf, ServiceError } from "~/api/errors";

/** There is nothing to show yet: what would be here, and how it gets here. */
export function EmptyState(props: {
  icon: Icon;
  title: string;
  children: ReactNode;
  action?: ReactNode;
}) {
  const { icon: Shown, title, children, action } = props;
  return (
    <Center py={56}>
      <Stack align="center" gap="sm" maw={440}>
        <ThemeIcon size={56} radius="xl" variant="light" color="gray">
          <Shown size={30} stroke={1.4} aria-hidden />
        </ThemeIcon>
        <Title order={2} size="h4" ta="center">
          {title}
        </Title>
        <Text c="dimmed" ta="center">
          {children}
        </Text>
        {action}
      </Stack>
    </Center>
  );
}

/** Something went wrong: what, and the way to try again. */
export function ErrorState({ error, retry }: { error: unknown; retry?: () => void }) {
  const requestId = error instanceof ServiceError ? error.requestId : null;
  return (
    <Alert
      color="red"
      icon={<IconAlertTriangle aria-hidden />}
      title="That did not work"
      role="alert"
    >
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{messageOf(error)}</Text>
        {requestId !== null && (
          <Text size="xs" c="dimmed">
            The service's log has more, under the request {requestId}.
          </Text>
        )}
        {retry !== undefined && (
          <Button size="xs" variant="light" color="red" onClick={retry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

export function PageError({ error, reset }: ErrorComponentProps) {
  return <ErrorState error={error} retry={reset} />;
}

export function NotFound() {
  return (
    <EmptyState
      icon={IconMapOff}
      title="There is no such page"
      action={
        <Button component={Link} to="/library" variant="light">
          Go to the library
        </Button>
      }
    >
      The address may be mistyped, or from another version of the console.
    </EmptyState>
  );
}
