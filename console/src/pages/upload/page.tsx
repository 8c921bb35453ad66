import { SegmentedControl, Stack, TagsInput, Text } from "@mantine/core";
import { useSessionStorage } from "@mantine/hooks";
import { PageHeader } from "~/ui/page-header";
import { useSearchText } from "~/ui/search-params";
import type { UploadItem } from "~/uploads/types";
import { useUploads } from "~/uploads/use-uploads";
import { useAdding } from "./adding";
import { ChooseButtons } from "./choose-buttons";
import { DropArea, DropOverlay } from "./drop-area";
import { useFileDrop } from "./file-drop";
import { Summary } from "./summary";
import { Unfinished } from "./unfinished";
import { UploadList } from "./upload-list";

const FILTERS: { value: string; label: string; has: (item: UploadItem) => boolean }[] = [
  { value: "", label: "All", has: () => true },
  { value: "unfinished", label: "Unfinished", has: ({ state }) => state !== "finished" },
  { value: "failed", label: "Failed", has: ({ state }) => state === "failed" },
  { value: "finished", label: "Finished", has: ({ state }) => state === "finished" },
];
const FEW = 8;

export default function UploadPage() {
  const { items, totals } = useUploads();
  const [tags, setTags] = useSessionStorage<string[]>({ key: "upload-tags", defaultValue: [] });
  const { add, found } = useAdding(tags);
  const hovering = useFileDrop(add);
  const [show, setShow] = useSearchText("show");
  const filter = FILTERS.find(({ value }) => value === show);
  const shown = filter === undefined ? items : items.filter(filter.has);

  return (
    <>
      <PageHeader title="Upload" about="Files of any kind and size, and whole folders." />
      {hovering && <DropOverlay />}
      <Stack gap="md">
        <Unfinished items={items} />
        <TagsInput
          label="Tags"
          description="Every file that you add from now on gets them."
          placeholder={tags.length === 0 ? "Type a tag and press Enter" : ""}
          value={tags}
          onChange={setTags}
          splitChars={[","]}
          acceptValueOnBlur
          clearable
          maw={560}
        />
        <DropArea empty={items.length === 0} found={found}>
          <ChooseButtons add={add} />
        </DropArea>
        {items.length > 0 && <Summary totals={totals} />}
        {items.length > FEW && (
          <SegmentedControl
            value={show}
            onChange={setShow}
            data={FILTERS.map(({ value, label }) => ({ value, label }))}
            aria-label="Which uploads are shown"
          />
        )}
        {items.length > 0 && shown.length === 0 && (
          <Text c="dimmed" ta="center" py="lg">
            None of the uploads is like this.
          </Text>
        )}
        {shown.length > 0 && <UploadList items={shown} />}
      </Stack>
    </>
  );
}
