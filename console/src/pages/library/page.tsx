import { Anchor, Button, Stack } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { IconArrowUp, IconUpload } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useMemo, useRef } from "react";
import type { LibraryItem, LibraryItems } from "~/api/library";
import { countOf } from "~/ui/format";
import { PageHeader } from "~/ui/page-header";
import { Actions } from "./actions";
import { useLiveMedias } from "./live";
import classes from "./page.module.css";
import { useMedias } from "./queries";
import { Results } from "./results";
import { countFilters, parametersOf, useLibrarySearch } from "./search";
import { useSelection } from "./selection";
import { Toolbar, type View } from "./toolbar";

const MOST_TAGS_PROPOSED = 50;

export default function LibraryPage() {
  const { search, change, clear } = useLibrarySearch();
  const parameters = useMemo(() => parametersOf(search), [search]);
  const found = useMedias(parameters);
  const inSight = useRef(0);
  const { news, show } = useLiveMedias(parameters, inSight);
  const selection = useSelection(found.medias);
  const tags = useMemo(() => tagsOf(found.first), [found.first]);
  const [view, setView] = useLocalStorage<View>({
    key: "library-view",
    defaultValue: "grid",
    getInitialValueInEffect: false,
  });
  const filtered = countFilters(search) > 0;

  return (
    <div className={classes.page}>
      <PageHeader
        title="Library"
        about={
          <>
            <span role="status">{describeCount(found, filtered)}</span>
            {filtered && (
              <Anchor component="button" type="button" inherit ml="sm" onClick={clear}>
                Clear filters
              </Anchor>
            )}
          </>
        }
      >
        <Button
          component={Link}
          to="/upload"
          leftSection={<IconUpload size={17} aria-hidden />}
          variant="light"
        >
          Upload
        </Button>
      </PageHeader>
      <Stack gap="md">
        <Toolbar {...{ search, change, tags, view, setView }} />
        {news > 0 && (
          <Button
            className={classes.news}
            radius="xl"
            size="xs"
            leftSection={<IconArrowUp size={16} aria-hidden />}
            onClick={show}
          >
            {countOf(news, "new media", "new medias")}: show
          </Button>
        )}
        <Results {...{ found, inSight, selection, view, search, change, clear }} />
      </Stack>
      <Actions chosen={selection.chosen} clear={selection.clear} />
    </div>
  );
}

function describeCount({ count, first }: ReturnType<typeof useMedias>, filtered: boolean) {
  if (first === undefined || count === null) return "\u00a0";
  const many = countOf(count, "media", "medias");
  return `${first.count_is_exact ? "" : "More than "}${many}${filtered ? " found" : ""}`;
}

/** Return tags that are on some of the medias, to propose them. */
function tagsOf(first: LibraryItems | undefined): string[] {
  const all = first?.items.flatMap((item: LibraryItem) => item.tags) ?? [];
  return [...new Set(all)].sort().slice(0, MOST_TAGS_PROPOSED);
}
