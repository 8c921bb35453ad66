import { Badge, Code, Group, Stack, Switch, Text, TextInput } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";
import type { SystemSetting } from "~/api/system";
import { countOf } from "~/ui/format";
import { Part } from "~/ui/part";
import { useSearchText } from "~/ui/search-params";
import classes from "./settings.module.css";

/** The settings in effect, secrets masked; those that pass what is searched for. */
export function Settings({ settings }: { settings: SystemSetting[] }) {
  const [words, setWords] = useSearchText("setting");
  const [changedOnly, setChangedOnly] = useState(false);
  const shown = settings.filter((one) => matches(one, words) && !(changedOnly && one.is_default));
  return (
    <Part
      title="Settings in effect"
      action={
        <Text size="sm" c="dimmed" role="status">
          {countOf(shown.length, "setting")}
        </Text>
      }
    >
      <Group mb="sm" gap="md">
        <TextInput
          aria-label="Search the settings"
          placeholder="Search the settings"
          leftSection={<IconSearch size={16} aria-hidden />}
          value={words}
          onChange={(event) => setWords(event.currentTarget.value)}
          flex={1}
          miw={200}
        />
        <Switch
          label="Changed from default"
          checked={changedOnly}
          onChange={(event) => setChangedOnly(event.currentTarget.checked)}
        />
      </Group>
      {shown.length === 0 && (
        <Text size="sm" c="dimmed">
          No setting is like that.
        </Text>
      )}
      <Stack component="dl" gap={0} m={0}>
        {shown.map((setting) => (
          <Setting key={setting.name} setting={setting} />
        ))}
      </Stack>
    </Part>
  );
}

function Setting({ setting: { variable, value, is_default, about } }: { setting: SystemSetting }) {
  return (
    <div className={classes.setting}>
      <dt>
        <Group gap="xs">
          <Text size="sm" ff="monospace" className={classes.name}>
            {variable}
          </Text>
          {!is_default && (
            <Badge size="xs" variant="light" tt="none">
              changed
            </Badge>
          )}
        </Group>
        <Text size="xs" c="dimmed">
          {about}
        </Text>
      </dt>
      <dd>
        {value === null || value === "" ? (
          <Text size="sm" c="dimmed">
            not set
          </Text>
        ) : (
          <Code className={classes.value}>{value}</Code>
        )}
      </dd>
    </div>
  );
}

function matches({ name, variable, value, about }: SystemSetting, words: string): boolean {
  const text = `${name} ${variable} ${value ?? ""} ${about}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
