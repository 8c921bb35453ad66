import { Group, Stack, Text } from "@mantine/core";
import type { LibraryMedia } from "~/api/library";
import { metaOf } from "~/api/meta";
import { CopyButton } from "~/ui/copy-button";
import { Bytes, Time } from "~/ui/values";
import { FactList } from "./fact-list";
import { MetaTree } from "./meta-tree";
import { cameraRows, containerRows, pictureRows, soundRows } from "./rows";

/** Everything that is known of a media, in groups. */
export function Facts({ media }: { media: LibraryMedia }) {
  const meta = metaOf(media);
  return (
    <Stack gap="lg">
      <FactList title="File" rows={fileRows(media)} />
      <FactList title="Picture" rows={pictureRows(meta)} />
      <FactList title="Sound" rows={soundRows(meta)} />
      <FactList title="Container" rows={containerRows(media)} />
      <FactList title="Camera" rows={cameraRows(meta)} />
      <FactList
        title="Checksums"
        rows={[
          ["CRC64NVME", <Checksum key="crc" name="CRC64NVME" value={media.crc64nvme} />],
          ["BLAKE3", <Checksum key="blake3" name="BLAKE3" value={media.blake3} />],
        ]}
      />
      <MetaTree meta={meta} />
    </Stack>
  );
}

function fileRows(media: LibraryMedia) {
  return [
    ["Name", media.filename],
    ["Size", <Bytes key="size" value={media.size} />],
    ["Type", media.mime_type],
    ["Added", <Time key="added" value={media.created_at} />],
    ["Changed", <Time key="changed" value={media.updated_at} />],
    ["By", media.created_by],
    ["Project", media.project_id],
    ["Public", media.public ? "yes" : "no"],
    ["Resource", media.resource],
    ["Key", media.key || null],
    ["Id", media.id],
  ] as const;
}

const NOT_KNOWN = {
  CRC64NVME: "Not known: its bytes went straight to the store.",
  BLAKE3: "Not known: its bytes came in pieces, or went straight to the store.",
};

function Checksum({ name, value }: { name: keyof typeof NOT_KNOWN; value: string | null }) {
  if (value === null) return NOT_KNOWN[name];
  return (
    <Group gap={4} wrap="nowrap" align="flex-start" justify="space-between">
      <Text span ff="monospace" size="xs" lh={1.6} style={{ overflowWrap: "anywhere" }}>
        {value}
      </Text>
      <CopyButton value={value} label={`Copy the ${name} checksum`} />
    </Group>
  );
}
