import {
  Box,
  Button,
  Group,
  SegmentedControl,
  Skeleton,
  Stack,
  Text,
  VisuallyHidden,
} from "@mantine/core";
import { IconCloudUpload, IconPackage } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { countOf, formatBytes } from "~/ui/format";
import { Loading } from "~/ui/loading";
import { Part } from "~/ui/part";
import { EmptyState, ErrorState } from "~/ui/states";
import { useStored } from "./queries";
import type { Measure } from "./stored-days";
import { StoredTable } from "./stored-table";

const StoredCharts = lazy(() => import("./stored-charts"));

const HEIGHT = 230;

/** What is stored: of each kind, and what came on each of the last days. */
export function StoredLook() {
  const { data, isPending, isError, error, refetch } = useStored();
  const [measure, setMeasure] = useState<Measure>("bytes");
  const [shown, setShown] = useState("chart");
  return (
    <Part
      title="What is stored"
      action={
        <Group gap="xs">
          <SegmentedControl
            size="xs"
            aria-label="Measure"
            value={measure}
            onChange={(value) => setMeasure(value as Measure)}
            data={[
              { value: "bytes", label: "Size" },
              { value: "count", label: "Number" },
            ]}
          />
          <SegmentedControl
            size="xs"
            aria-label="Show as"
            value={shown}
            onChange={setShown}
            data={[
              { value: "chart", label: "Charts" },
              { value: "table", label: "Table" },
            ]}
          />
        </Group>
      }
    >
      {isPending && <Loading rows={1} height={HEIGHT} />}
      {isError && <ErrorState error={error} retry={() => refetch()} />}
      {data?.total.count === 0 && (
        <EmptyState
          icon={IconPackage}
          title="Nothing is stored yet"
          action={
            <Button component={Link} to="/upload" leftSection={<IconCloudUpload size={16} />}>
              Upload something
            </Button>
          }
        >
          What comes in by uploads, recordings and transfers is counted here.
        </EmptyState>
      )}
      {data !== undefined && data.total.count > 0 && (
        <Stack gap="sm">
          <Text size="sm">
            <strong>{countOf(data.total.count, "media")}</strong>, {formatBytes(data.total.bytes)}{" "}
            in all
          </Text>
          {shown === "table" ? (
            <StoredTable stored={data} />
          ) : (
            <>
              <Box aria-hidden>
                <Suspense fallback={<Skeleton height={HEIGHT} />}>
                  <StoredCharts stored={data} measure={measure} height={HEIGHT} />
                </Suspense>
              </Box>
              <VisuallyHidden>
                <StoredTable stored={data} />
              </VisuallyHidden>
            </>
          )}
        </Stack>
      )}
    </Part>
  );
}
