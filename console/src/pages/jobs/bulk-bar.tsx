import { Affix, Anchor, Button, CloseButton, Group, Paper, Text, Transition } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import type { JobFilters } from "~/api/jobs";
import { countOf } from "~/ui/format";
import type { Selection } from "./selection";
import { SIGNALS, type SignalAbout } from "./signals";
import { confirmMany, filtersOfIds, useSteering } from "./steering";

/** What can be done with the jobs that are selected. */
export function BulkBar(props: { selection: Selection; filters: JobFilters; count?: number }) {
  const { selection, filters, count } = props;
  const { steerMany } = useSteering();
  const number = selection.everything ? count : selection.ids.size;
  const said = number === undefined ? "all jobs" : countOf(number, "job");

  const ask = (about: SignalAbout) => {
    const several = selection.everything ? [everyOne(filters)] : filtersOfIds([...selection.ids]);
    const go = () => steerMany(several, about).then(selection.clear);
    if (selection.everything || (about.signal === "cancel" && selection.ids.size > 1)) {
      confirmMany(about, said, go);
    } else {
      go();
    }
  };

  return (
    <Transition mounted={selection.ids.size > 0} transition="slide-up" duration={150}>
      {(style) => (
        <Affix position={{ bottom: 16, left: 16, right: 16 }} style={{ pointerEvents: "none" }}>
          <Paper
            withBorder
            shadow="lg"
            p="xs"
            pl="md"
            mx="auto"
            maw={720}
            style={{ ...style, pointerEvents: "auto" }}
            component="section"
            aria-label="Selected jobs"
          >
            <Group gap="xs">
              <Text size="sm" fw={600} role="status">
                {said} selected
              </Text>
              {selection.whole && !selection.everything && (count ?? 0) > selection.ids.size && (
                <Anchor component="button" size="sm" onClick={selection.selectEverything}>
                  Select all {count} that match
                </Anchor>
              )}
              <Group gap={6} ml="auto" wrap="nowrap">
                {SIGNALS.map((about) => (
                  <SignalButton
                    key={about.signal}
                    about={about}
                    disabled={!selection.everything && !fitsSome(about, selection)}
                    onClick={() => ask(about)}
                  />
                ))}
                <CloseButton aria-label="Select none" onClick={selection.clear} />
              </Group>
            </Group>
          </Paper>
        </Affix>
      )}
    </Transition>
  );
}

function SignalButton(props: { about: SignalAbout; disabled: boolean; onClick: () => void }) {
  const { about, disabled, onClick } = props;
  const roomy = useMediaQuery("(min-width: 48em)");
  return (
    <Button
      size="xs"
      variant="light"
      color={about.color}
      leftSection={roomy && <about.icon size={15} aria-hidden />}
      px={roomy ? undefined : 8}
      disabled={disabled}
      onClick={onClick}
    >
      {about.label}
    </Button>
  );
}

function fitsSome(about: SignalAbout, { jobs }: Selection): boolean {
  return jobs.some(({ status }) => about.fits.includes(status));
}

/** The door wants a filter; without one, those are meant that there are now. */
function everyOne(filters: JobFilters): JobFilters {
  return Object.keys(filters).length > 0 ? filters : { created_at__lte: new Date().toISOString() };
}
