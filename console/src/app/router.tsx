import {
  createHashHistory,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Shell } from "~/app/shell";
import { Loading } from "~/ui/loading";
import { NotFound, PageError } from "~/ui/states";

// The doors own the paths of this address, so that the pages' are behind the `#`.
const history = createHashHistory();

export const rootRoute = createRootRoute({ component: Shell, notFoundComponent: NotFound });

/** A page's search parameters are read by the page itself: all are optional texts. */
export type Search = Record<string, string | number | boolean | string[] | undefined>;

function page<const Path extends string>(
  path: Path,
  load: () => Promise<{ default: () => ReactNode }>,
) {
  return createRoute({
    getParentRoute: () => rootRoute,
    path,
    validateSearch: (search): Search => search as Search,
    component: lazyRouteComponent(load),
    pendingComponent: Loading,
    errorComponent: PageError,
  });
}

const start = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/library" });
  },
});

const routeTree = rootRoute.addChildren([
  start,
  page("/library", () => import("~/pages/library/page")),
  page("/library/$id", () => import("~/pages/library/detail/page")),
  page("/upload", () => import("~/pages/upload/page")),
  page("/record", () => import("~/pages/record/page")),
  page("/transfers", () => import("~/pages/transfers/page")),
  page("/transfers/$id", () => import("~/pages/transfers/detail")),
  page("/sync", () => import("~/pages/sync/page")),
  page("/sync/$id", () => import("~/pages/sync/detail")),
  page("/jobs", () => import("~/pages/jobs/page")),
  page("/jobs/$id", () => import("~/pages/jobs/detail")),
  page("/system", () => import("~/pages/system/page")),
]);

export const router = createRouter({
  routeTree,
  history,
  defaultPreload: "intent",
  defaultPendingMs: 150,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
