import { Anchor, Stack } from "@mantine/core";
import type { System } from "~/api/system";
import { Loading } from "~/ui/loading";
import { PageHeader } from "~/ui/page-header";
import { Part } from "~/ui/part";
import { ErrorState } from "~/ui/states";
import { Time } from "~/ui/values";
import { Health } from "./health";
import { useSystem } from "./queries";
import { Settings } from "./settings";
import { StoredLook } from "./stored";
import { ThroughputLook } from "./throughput";
import { Workers } from "./workers";

/** The service as its operator sees it. */
export default function SystemPage() {
  const { data, isPending, isError, error, refetch } = useSystem();
  return (
    <>
      <PageHeader title="System" about={data && <Version system={data} />}>
        <Anchor href="/docs" target="_blank" size="sm">
          HTTP reference
        </Anchor>
        <Anchor href="/openapi.json" target="_blank" size="sm">
          openapi.json
        </Anchor>
      </PageHeader>
      <Stack gap="md">
        {isPending && <Loading rows={2} height={110} />}
        {isError && <ErrorState error={error} retry={() => refetch()} />}
        {data !== undefined && <Health system={data} />}
        <StoredLook />
        <Part title="Throughput">
          <ThroughputLook />
        </Part>
        {data !== undefined && (
          <>
            <Part title="Workers">
              <Workers workers={data.workers} />
            </Part>
            <Settings settings={data.settings} />
          </>
        )}
      </Stack>
    </>
  );
}

function Version({ system: { version, python, started_at } }: { system: System }) {
  return (
    <>
      Mediatheque {version} on Python {python}
      {started_at !== null && (
        <>
          , started <Time value={started_at} />
        </>
      )}
    </>
  );
}
