import { Box, Stack, Table, Text } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import type { Sync } from "~/api/sync";
import { useSyncs } from "~/pages/sync/queries";
import { SyncProgress, SyncStatus } from "~/pages/sync/status";
import { outcomeOf, sourceName } from "~/pages/sync/words";
import { Danger } from "~/ui/danger";
import { countOf, formatCount, formatDuration } from "~/ui/format";
import { LinkAnchor, LinkButton } from "~/ui/links";
import { Loading } from "~/ui/loading";
import { OlderOnes } from "~/ui/older";
import { EmptyState, ErrorState } from "~/ui/states";
import { Time } from "~/ui/values";

/** Every sync that is remembered, newest first. */
export function History() {
  const found = useSyncs();
  if (found.isPending) return <Loading rows={6} height={56} />;
  if (found.isError) return <ErrorState error={found.error} retry={() => void found.refetch()} />;
  if (found.syncs.length === 0) return <NoneYet />;
  return (
    <Stack>
      <Table verticalSpacing="sm" highlightOnHover layout="fixed" aria-label="Syncs">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>What</Table.Th>
            <Table.Th w={{ base: 110, md: 200 }}>Status</Table.Th>
            <Table.Th w={180} visibleFrom="sm">
              Progress
            </Table.Th>
            <Table.Th w={190} visibleFrom="md">
              Changes
            </Table.Th>
            <Table.Th w={100} visibleFrom="lg">
              Took
            </Table.Th>
            <Table.Th w={130} visibleFrom="sm">
              Started
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {found.syncs.map((sync) => (
            <Row key={sync.id} sync={sync} />
          ))}
        </Table.Tbody>
      </Table>
      <OlderOnes found={found} />
    </Stack>
  );
}

function Row({ sync }: { sync: Sync }) {
  const { id, dest, storage_url: store, started_at: started, finished_at: ended } = sync;
  const seconds =
    started !== null && ended !== null ? (Date.parse(ended) - Date.parse(started)) / 1000 : null;
  return (
    <Table.Tr>
      <Table.Td>
        <LinkAnchor to="/sync/$id" params={{ id: String(id) }} fw={600} truncate display="block">
          {sourceName(sync)} → {dest}
        </LinkAnchor>
        <Text size="xs" c="dimmed" truncate>
          Sync {id}
          {store !== null && `, at ${store}`}
        </Text>
        {outcomeOf(sync) === "error" && (
          <Danger size="xs" lineClamp={2}>
            {sync.error ?? sync.status}
          </Danger>
        )}
        {!sync.dry_run && (
          <Box hiddenFrom="sm" mt={4}>
            <SyncProgress sync={sync} />
          </Box>
        )}
      </Table.Td>
      <Table.Td>
        <SyncStatus sync={sync} />
      </Table.Td>
      <Table.Td visibleFrom="sm">{sync.dry_run ? "–" : <SyncProgress sync={sync} />}</Table.Td>
      <Table.Td visibleFrom="md">
        <Changes sync={sync} />
      </Table.Td>
      <Table.Td visibleFrom="lg">{seconds === null ? "–" : formatDuration(seconds)}</Table.Td>
      <Table.Td visibleFrom="sm">
        <Time value={sync.created_at} />
      </Table.Td>
    </Table.Tr>
  );
}

function Changes({ sync: { plan } }: { sync: Sync }) {
  if (plan === null) return "–";
  const put = plan.upload.files + plan.copy.files + plan.update.files;
  return (
    <>
      <Text size="sm">{countOf(put, "file")} new or changed</Text>
      {plan.delete.files > 0 && (
        <Danger size="xs">{formatCount(plan.delete.files)} to delete</Danger>
      )}
    </>
  );
}

function NoneYet() {
  return (
    <EmptyState
      icon={IconRefresh}
      title="Nothing was mirrored yet"
      action={
        <LinkButton to="/sync" search={{ view: "new" }}>
          Choose a folder
        </LinkButton>
      }
    >
      A sync makes a bucket what a folder is: what is new is uploaded, what is gone is deleted. You
      see the plan before anything is done.
    </EmptyState>
  );
}
