import { Alert, Paper, Stack, Text, Title } from "@mantine/core";
import { IconCircleCheck } from "@tabler/icons-react";
import type { SyncRequest } from "~/api/sync";
import { Start } from "~/pages/sync/new/start";
import { Operations } from "~/pages/sync/plan/operations";
import { PlanCards } from "~/pages/sync/plan/plan-cards";
import { useSync } from "~/pages/sync/queries";
import { operationsOf, outcomeOf, wantsForce } from "~/pages/sync/words";
import { Loading } from "~/ui/loading";
import { ErrorState } from "~/ui/states";
import classes from "./planned.module.css";

/** Bring what has just appeared into sight. */
const lookHere = (element: HTMLElement | null) =>
  element?.scrollIntoView({ behavior: "smooth", block: "start" });

/** The plan of a request, and its start once the plan is there. */
export function Planned({ id, request }: { id: number; request: SyncRequest }) {
  const { data: sync, error, refetch } = useSync(id);
  if (error !== null) return <ErrorState error={error} retry={() => void refetch()} />;
  if (sync === undefined || outcomeOf(sync) === "running") {
    return (
      <Paper withBorder p="md" role="status">
        <Text mb="sm">The folder and the bucket are compared…</Text>
        <Loading rows={2} height={60} />
      </Paper>
    );
  }
  const { plan } = sync;
  const force = wantsForce(sync);
  if (plan === null || (outcomeOf(sync) === "error" && !force)) {
    return <ErrorState error={new Error(sync.error ?? `The plan is ${sync.status}.`)} />;
  }
  return (
    <Stack ref={lookHere} className={classes.appeared}>
      <Paper withBorder p="md">
        <Stack>
          <Title order={2} size="h4">
            The plan
          </Title>
          <PlanCards plan={plan} />
          {operationsOf(plan) === 0 && (
            <Alert color="teal" icon={<IconCircleCheck aria-hidden />}>
              The bucket is what the folder is: there is nothing to do.
            </Alert>
          )}
          <Start planned={id} request={request} plan={plan} refusal={force ? sync.error : null} />
        </Stack>
      </Paper>
      {operationsOf(plan) > 0 && <Operations sync={sync} plan={plan} />}
    </Stack>
  );
}
