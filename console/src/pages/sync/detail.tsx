import { Alert, Paper, Stack, Title } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useParams } from "@tanstack/react-router";
import { Actions } from "~/pages/sync/detail/actions";
import { Overview } from "~/pages/sync/detail/overview";
import { FilesUnderWay } from "~/pages/sync/detail/under-way";
import { Operations } from "~/pages/sync/plan/operations";
import { PlanCards } from "~/pages/sync/plan/plan-cards";
import { useIsPaused, useSync, useUnderWay } from "~/pages/sync/queries";
import { operationsOf, outcomeOf, sourceName, wantsForce } from "~/pages/sync/words";
import { BackLink } from "~/ui/back-link";
import { Loading } from "~/ui/loading";
import { PageHeader } from "~/ui/page-header";
import { ErrorState } from "~/ui/states";

/** One sync: how far it is, its plan, and what became of every operation. */
export default function SyncDetail() {
  const { id = "" } = useParams({ strict: false });
  const found = useSync(Number(id));
  const sync = found.data;
  const running = sync !== undefined && outcomeOf(sync) === "running";
  const paused = useIsPaused(Number(id), sync?.job ?? "", running);
  const underWay = useUnderWay(Number(id), running && !paused);
  if (sync === undefined) {
    return (
      <>
        <BackLink to="/sync">All syncs</BackLink>
        <PageHeader title={`Sync ${id}`} />
        {found.isError ? (
          <ErrorState error={found.error} retry={() => void found.refetch()} />
        ) : (
          <Loading rows={4} height={90} />
        )}
      </>
    );
  }
  const { plan } = sync;
  return (
    <>
      <BackLink to="/sync">All syncs</BackLink>
      <PageHeader title={`${sourceName(sync)} → ${sync.dest}`}>
        <Actions sync={sync} paused={paused} />
      </PageHeader>
      <Stack>
        {outcomeOf(sync) === "error" && (
          <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title="It ended in an error">
            {sync.error ?? sync.status}
            {wantsForce(sync) &&
              " If it is meant, plan it again, and say so when you have seen the plan."}
          </Alert>
        )}
        <Overview
          sync={sync}
          paused={paused}
          sent={underWay.files.reduce((sum, { bytes }) => sum + bytes, sync.done.bytes)}
          at={Math.max(found.dataUpdatedAt, underWay.at)}
        />
        <FilesUnderWay operations={underWay.files} />
        {plan !== null && (
          <Paper withBorder p="md">
            <Stack>
              <Title order={2} size="h5">
                Plan
              </Title>
              <PlanCards plan={plan} />
            </Stack>
          </Paper>
        )}
        {plan !== null && operationsOf(plan) > 0 && <Operations sync={sync} plan={plan} />}
      </Stack>
    </>
  );
}
