import { Tabs } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { History } from "~/pages/sync/history";
import { NewSync } from "~/pages/sync/new/new-sync";
import { Schedules } from "~/pages/sync/schedules/schedules";
import { LinkButton } from "~/ui/links";
import { PageHeader } from "~/ui/page-header";
import { useSearchText } from "~/ui/search-params";

/** The syncs there were, their schedules, or (`?view=new`) the making of another one. */
export default function SyncPage() {
  const [view, setView] = useSearchText("view");
  if (view === "new") return <NewSync />;
  return (
    <>
      <PageHeader title="Sync" about="Folders of the service's own machine, mirrored into buckets.">
        <LinkButton
          to="/sync"
          search={{ view: "new", when: view === "schedules" ? "schedule" : undefined }}
          leftSection={<IconPlus size={18} aria-hidden />}
        >
          {view === "schedules" ? "New schedule" : "New sync"}
        </LinkButton>
      </PageHeader>
      <Tabs
        value={view === "schedules" ? view : "syncs"}
        onChange={(chosen) => setView(chosen === "schedules" ? chosen : "")}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="syncs">Syncs</Tabs.Tab>
          <Tabs.Tab value="schedules">Schedules</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="syncs">
          <History />
        </Tabs.Panel>
        <Tabs.Panel value="schedules">
          <Schedules />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
