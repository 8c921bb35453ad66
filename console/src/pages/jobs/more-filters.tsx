import { Group, NumberInput, SimpleGrid, TagsInput, TextInput } from "@mantine/core";
import { useDraft } from "~/ui/use-draft";
import {
  type Chosen,
  EXACT,
  exactTime,
  type FilterName,
  listOf,
  localTime,
  NAMES,
  RANGES,
  type Range,
  TIMES,
  type Time,
  textOf,
} from "./filters";

interface Narrowing {
  chosen: Chosen;
  choose: (changed: Chosen) => void;
}

/** The filters that are needed now and then. */
export function MoreFilters(props: Narrowing) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="md" mt="md">
      {TIMES.map((field) => (
        <TimeFilter key={field} field={field} {...props} />
      ))}
      {RANGES.map((field) => (
        <RangeFilter key={field} field={field} {...props} />
      ))}
      <TagsInput
        label="Id is one of"
        value={listOf(props.chosen.id)}
        onChange={(ids) => props.choose({ id: textOf(ids.map((id) => id.trim())) })}
        clearable
      />
      {EXACT.map((name) => (
        <TextFilter key={name} name={name} {...props} />
      ))}
    </SimpleGrid>
  );
}

function TextFilter({ name, chosen, choose }: Narrowing & { name: (typeof EXACT)[number] }) {
  const [draft, change] = useDraft(chosen[name] ?? "", (text) =>
    choose({ [name]: text.trim() || undefined }),
  );
  return (
    <TextInput
      label={`${NAMES[name]} is`}
      placeholder={isTime(name) ? "2026-01-31T20:15:03.123456Z" : "exactly this"}
      value={draft}
      onChange={(event) => change(event.currentTarget.value)}
    />
  );
}

function isTime(name: (typeof EXACT)[number]): name is Time {
  return TIMES.some((time) => time === name);
}

function RangeFilter({ field, ...narrowing }: Narrowing & { field: Range }) {
  return (
    <Group grow gap="xs" align="flex-end">
      <Bound name={field} label={`${NAMES[field]} is`} {...narrowing} />
      <Bound name={`${field}__gte`} label="from" about={`${NAMES[field]} from`} {...narrowing} />
      <Bound name={`${field}__lte`} label="to" about={`${NAMES[field]} to`} {...narrowing} />
    </Group>
  );
}

/** Progress is chosen in percent, and a ratio everywhere else. */
function Bound(props: Narrowing & { name: FilterName; label: string; about?: string }) {
  const { name, label, about, chosen, choose } = props;
  const percent = name.startsWith("progress");
  const scale = percent ? 100 : 1;
  const text = chosen[name];
  const [draft, change] = useDraft<string | number>(
    text === undefined ? "" : Math.round(Number(text) * scale * 100) / 100,
    (value) => choose({ [name]: value === "" ? undefined : String(Number(value) / scale) }),
  );
  return (
    <NumberInput
      label={label}
      aria-label={about}
      suffix={percent ? " %" : ""}
      allowDecimal={percent}
      min={name.startsWith("priority") ? undefined : 0}
      max={percent ? 100 : undefined}
      value={draft}
      onChange={change}
    />
  );
}

function TimeFilter({ field, chosen, choose }: Narrowing & { field: Time }) {
  const [from, until] = [`${field}__gte` as const, `${field}__lte` as const];
  return (
    <Group grow gap="xs" align="flex-end" preventGrowOverflow={false}>
      <TextInput
        type="datetime-local"
        label={`${NAMES[field]} from`}
        value={localTime(chosen[from])}
        onChange={(event) => choose({ [from]: exactTime(event.currentTarget.value) })}
      />
      <TextInput
        type="datetime-local"
        label="to"
        aria-label={`${NAMES[field]} to`}
        value={localTime(chosen[until])}
        onChange={(event) => choose({ [until]: exactTime(event.currentTarget.value) })}
      />
    </Group>
  );
}
