import { Group, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

/** The top of a page: its name, a sentence, and what can be done. */
export function PageHeader(props: { title: string; about?: ReactNode; children?: ReactNode }) {
  const { title, about, children } = props;
  return (
    <Group justify="space-between" align="flex-start" mb="md" gap="sm">
      <div>
        <Title order={1} size="h2" style={{ overflowWrap: "anywhere" }}>
          {title}
        </Title>
        {about !== undefined && (
          <Text c="dimmed" size="sm">
            {about}
          </Text>
        )}
      </div>
      {children !== undefined && <Group gap="xs">{children}</Group>}
    </Group>
  );
}
