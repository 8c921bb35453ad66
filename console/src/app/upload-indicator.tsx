import { Button, RingProgress } from "@mantine/core";
import { IconAlertTriangle, IconCheck } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { countOf, formatPercent } from "~/ui/format";
import { isUnderWay } from "~/uploads/totals";
import { useUploads } from "~/uploads/use-uploads";

/** How far the uploads are that go on while other pages are looked at. */
export function UploadIndicator() {
  const { items, totals } = useUploads();
  const { states, bytes, sent } = totals;
  if (items.length === 0) return null;
  const underWay = items.filter(({ state }) => isUnderWay(state)).length;
  const stuck = states.failed + states.lost;
  const ratio = bytes === 0 ? 0 : sent / bytes;
  return (
    <Button
      component={Link}
      to="/upload"
      variant="subtle"
      color={stuck > 0 ? "orange" : underWay > 0 ? undefined : "teal"}
      size="compact-md"
      aria-label={label(underWay, stuck, ratio)}
      leftSection={
        underWay > 0 ? (
          <RingProgress
            size={26}
            thickness={4}
            sections={[{ value: ratio * 100, color: stuck > 0 ? "orange" : "blue" }]}
            aria-hidden
          />
        ) : stuck > 0 ? (
          <IconAlertTriangle size={18} aria-hidden />
        ) : (
          <IconCheck size={18} aria-hidden />
        )
      }
    >
      {underWay > 0 ? formatPercent(ratio) : stuck > 0 ? stuck : "Uploaded"}
    </Button>
  );
}

function label(underWay: number, stuck: number, ratio: number): string {
  const texts = [
    underWay > 0 && `${countOf(underWay, "upload")} under way, ${formatPercent(ratio)}`,
    stuck > 0 && `${countOf(stuck, "upload needs", "uploads need")} you`,
  ].filter(Boolean);
  return texts.length > 0 ? texts.join(", ") : "All uploads are finished";
}
