import { Group, Paper, Title } from "@mantine/core";
import { type ReactNode, useId } from "react";

/** A part of a page with a name of its own, and what can be done or chosen in it. */
export function Part(props: { title: string; action?: ReactNode; children: ReactNode }) {
  const id = useId();
  return (
    <Paper withBorder p="md" component="section" aria-labelledby={id}>
      <Group justify="space-between" mb="sm" gap="xs" mih={30}>
        <Title order={2} size="h5" id={id}>
          {props.title}
        </Title>
        {props.action}
      </Group>
      {props.children}
    </Paper>
  );
}
