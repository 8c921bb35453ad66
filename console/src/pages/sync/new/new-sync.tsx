import { Grid, Paper, SegmentedControl, Stack, Title } from "@mantine/core";
import { useState } from "react";
import type { SyncRequest } from "~/api/sync";
import { BucketField, OptionFields, RareFields } from "~/pages/sync/new/fields";
import { Once } from "~/pages/sync/new/once";
import { SourceField } from "~/pages/sync/new/source-field";
import { useSync } from "~/pages/sync/queries";
import { Scheduling } from "~/pages/sync/schedules/scheduling";
import { NEW_REQUEST, requestOf } from "~/pages/sync/words";
import { Loading } from "~/ui/loading";
import { PageHeader } from "~/ui/page-header";
import { useSearchText } from "~/ui/search-params";
import { ErrorState } from "~/ui/states";

/** Another sync or schedule; with `?from=7` as sync 7 was. */
export function NewSync() {
  const [from] = useSearchText("from");
  return from === "" ? <Form start={NEW_REQUEST} /> : <FormFrom number={Number(from)} />;
}

function FormFrom({ number }: { number: number }) {
  const { data, error, refetch } = useSync(number);
  if (data !== undefined) return <Form start={requestOf(data)} />;
  return (
    <>
      <PageHeader title="New sync" />
      {error === null ? <Loading /> : <ErrorState error={error} retry={() => void refetch()} />}
    </>
  );
}

function Form({ start }: { start: SyncRequest }) {
  const [when, setWhen] = useSearchText("when");
  const [request, setRequest] = useState(start);
  const once = when !== "schedule";
  const fields = {
    request,
    onChange: (changed: Partial<SyncRequest>) => setRequest({ ...request, ...changed }),
  };
  return (
    <>
      <PageHeader
        title={once ? "New sync" : "New schedule"}
        about="A bucket becomes what a folder is. What the folder does not have is deleted from it."
      >
        <SegmentedControl
          aria-label="When"
          value={once ? "" : when}
          onChange={setWhen}
          data={[
            { value: "", label: "Once, now" },
            { value: "schedule", label: "Again and again" },
          ]}
        />
      </PageHeader>
      <Stack>
        <Grid>
          <Grid.Col span={{ base: 12, md: 7 }}>
            <SourceField {...fields} />
          </Grid.Col>
          <Grid.Col span={{ base: 12, md: 5 }}>
            <Paper withBorder p="md">
              <Stack>
                <Title order={2} size="h4">
                  Destination
                </Title>
                <BucketField {...fields} />
                <OptionFields {...fields} once={once} />
                <RareFields {...fields} />
              </Stack>
            </Paper>
          </Grid.Col>
        </Grid>
        {once ? <Once request={request} /> : <Scheduling request={request} />}
      </Stack>
    </>
  );
}
