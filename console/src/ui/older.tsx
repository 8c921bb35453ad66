import { Button, Center } from "@mantine/core";

interface Pages {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => Promise<unknown>;
}

/** The way to the next page of a list that begins with the newest; nothing when there is none. */
export function OlderOnes({ found }: { found: Pages }) {
  if (!found.hasNextPage) return null;
  return (
    <Center>
      <Button
        variant="default"
        loading={found.isFetchingNextPage}
        onClick={() => void found.fetchNextPage()}
      >
        Show older ones
      </Button>
    </Center>
  );
}
