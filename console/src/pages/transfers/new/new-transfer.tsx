import { Button, Divider, Grid, Group, Paper, Stack, Title } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { BandwidthInput } from "~/pages/transfers/bandwidth";
import type { Chosen } from "~/pages/transfers/new/choice";
import { ChoiceBox } from "~/pages/transfers/new/choice-box";
import { ChosenList, WhatWillHappen } from "~/pages/transfers/new/summary";
import { useStartTransfer } from "~/pages/transfers/queries";
import { FolderBrowser } from "~/ui/folder-browser/folder-browser";
import { LinkButton } from "~/ui/links";
import { PageHeader } from "~/ui/page-header";
import { ErrorState } from "~/ui/states";

/** Choosing what is transferred, and the start. */
export function NewTransfer() {
  const navigate = useNavigate();
  const [path, setPath] = useState("");
  const [chosen, setChosen] = useState<Chosen[]>([]);
  const [bandwidth, setBandwidth] = useState<number | null>(null);
  const start = useStartTransfer();

  const onStart = () =>
    start.mutate(
      { sources: chosen.map((one) => one.path), bandwidth },
      { onSuccess: ({ id }) => void navigate({ to: "/transfers/$id", params: { id } }) },
    );

  return (
    <>
      <PageHeader
        title="New transfer"
        about="Choose folders and files of the machine that the service runs on."
      />
      <Grid>
        <Grid.Col span={{ base: 12, md: 7 }}>
          <Paper withBorder p="md">
            <FolderBrowser
              of="transfers"
              path={path}
              onOpen={setPath}
              choice={(entry) => <ChoiceBox entry={entry} chosen={chosen} onChange={setChosen} />}
            />
          </Paper>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 5 }}>
          <Paper withBorder p="md">
            <Stack>
              <Title order={2} size="h4">
                What will be transferred
              </Title>
              <ChosenList chosen={chosen} onChange={setChosen} />
              <Divider />
              <WhatWillHappen chosen={chosen} />
              <BandwidthInput value={bandwidth} onChange={setBandwidth} />
              {start.isError && <ErrorState error={start.error} />}
              <Group justify="flex-end">
                <LinkButton variant="default" to="/transfers">
                  Back
                </LinkButton>
                <Button
                  disabled={chosen.length === 0}
                  loading={start.isPending}
                  leftSection={<IconPlayerPlay size={18} aria-hidden />}
                  onClick={onStart}
                >
                  Start the transfer
                </Button>
              </Group>
            </Stack>
          </Paper>
        </Grid.Col>
      </Grid>
    </>
  );
}
