import { IconPlus } from "@tabler/icons-react";
import { TransferList } from "~/pages/transfers/list";
import { NewTransfer } from "~/pages/transfers/new/new-transfer";
import { LinkButton } from "~/ui/links";
import { PageHeader } from "~/ui/page-header";
import { useSearchText } from "~/ui/search-params";

/** The transfers there are, or (`?view=new`) the making of another one. */
export default function TransfersPage() {
  const [view] = useSearchText("view");
  if (view === "new") return <NewTransfer />;
  return (
    <>
      <PageHeader
        title="Transfers"
        about="Folders of the service's own machine, on their way into the store."
      >
        <LinkButton
          to="/transfers"
          search={{ view: "new" }}
          leftSection={<IconPlus size={18} aria-hidden />}
        >
          New transfer
        </LinkButton>
      </PageHeader>
      <TransferList />
    </>
  );
}
