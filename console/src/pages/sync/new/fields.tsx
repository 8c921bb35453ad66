import {
  Accordion,
  NumberInput,
  PasswordInput,
  SimpleGrid,
  Stack,
  Switch,
  TextInput,
} from "@mantine/core";
import type { SyncRequest } from "~/api/sync";

const LONGEST_WAIT = 60;

export interface FieldProps {
  request: SyncRequest;
  onChange: (changed: Partial<SyncRequest>) => void;
}

export function BucketField({ request, onChange }: FieldProps) {
  return (
    <TextInput
      label="Bucket"
      description="3 to 63 small letters, digits, dots and dashes. It is made when it is missing."
      placeholder="my-photos"
      required
      value={request.dest}
      onChange={(event) => onChange({ dest: event.currentTarget.value })}
    />
  );
}

/** How it is to be done; `once` has what schedules do not. */
export function OptionFields({ request, onChange, once }: FieldProps & { once: boolean }) {
  return (
    <Stack gap="sm">
      <Switch
        label="Compare every file by its content"
        description="Else a file counts as unchanged when its size and time are as remembered."
        checked={request.verify}
        onChange={(event) => onChange({ verify: event.currentTarget.checked })}
      />
      {once && (
        <Switch
          label="Go on whenever the folder changes"
          description="Until it is cancelled."
          checked={request.watch}
          onChange={(event) => onChange({ watch: event.currentTarget.checked })}
        />
      )}
      <TextInput
        label="Keep what is overwritten or deleted"
        description="Below this prefix of the bucket. Empty: it is not kept."
        placeholder=".backups/november"
        value={request.backup_prefix}
        onChange={(event) => onChange({ backup_prefix: event.currentTarget.value })}
      />
    </Stack>
  );
}

/** What few need: a store of its own, and slowness. */
export function RareFields({ request, onChange }: FieldProps) {
  const text = (name: "storage_url" | "access_key" | "secret_key" | "region") => ({
    value: request[name],
    onChange: (event: { currentTarget: { value: string } }) =>
      onChange({ [name]: event.currentTarget.value }),
  });
  return (
    <Accordion variant="contained" defaultValue={request.storage_url === "" ? null : "store"}>
      <Accordion.Item value="store">
        <Accordion.Control>Another S3 store</Accordion.Control>
        <Accordion.Panel>
          <Stack gap="sm">
            <TextInput
              label="Address"
              description="Empty: the store of the service. The operator must allow others."
              placeholder="http://127.0.0.1:9000"
              {...text("storage_url")}
            />
            <SimpleGrid cols={{ base: 1, xs: 2 }}>
              <TextInput label="Access key" autoComplete="off" {...text("access_key")} />
              <PasswordInput label="Secret key" autoComplete="off" {...text("secret_key")} />
            </SimpleGrid>
            <TextInput label="Region" placeholder="us-east-1" {...text("region")} />
          </Stack>
        </Accordion.Panel>
      </Accordion.Item>
      <Accordion.Item value="slow">
        <Accordion.Control>Slow it down</Accordion.Control>
        <Accordion.Panel>
          <NumberInput
            label="Seconds between file operations"
            description="They are then done one at a time. For tests."
            min={0}
            max={LONGEST_WAIT}
            value={request.wait}
            onChange={(wait) => onChange({ wait: typeof wait === "number" ? wait : 0 })}
          />
        </Accordion.Panel>
      </Accordion.Item>
    </Accordion>
  );
}
