import { Group, NumberInput, SimpleGrid, TextInput } from "@mantine/core";
import { useDraft } from "~/ui/use-draft";
import {
  type Chosen,
  EXACT,
  exactTime,
  type FilterName,
  localTime,
  NAMES,
  RANGES,
  type Range,
  TIMES,
  type Time,
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
      placeholder="exactly this"
      value={draft}
      onChange={(event) => change(event.currentTarget.value)}
    />
  );
}

function RangeFilter({ field, ...narrowing }: Narrowing & { field: Range }) {
  return (
    <Group grow gap="xs" align="flex-end">
      <Bound name={`${field}__gte`} label={`${NAMES[field]} from`} {...narrowing} />
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
