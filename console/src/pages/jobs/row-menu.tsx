import { ActionIcon, Menu } from "@mantine/core";
import { IconDots } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { Job } from "~/api/jobs";
import { signalsFor } from "./signals";
import { useSteering } from "./steering";

/** What can be done with one job of the list. */
export function RowMenu({ job, title }: { job: Job; title: string }) {
  const { steer } = useSteering();
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`What to do with ${title}`}>
          <IconDots size={18} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component={Link} to={`/jobs/${job.id}`}>
          Show
        </Menu.Item>
        {signalsFor(job.status).map(({ signal, label, icon: Icon }) => (
          <Menu.Item
            key={signal}
            leftSection={<Icon size={16} aria-hidden />}
            onClick={() => steer(job, signal)}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
