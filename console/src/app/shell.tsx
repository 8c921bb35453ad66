import { AppShell, Burger, Group, NavLink, Text, VisuallyHidden } from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";
import { ColorScheme } from "~/app/color-scheme";
import { ConnectionBar } from "~/app/connection-bar";
import { DESTINATIONS } from "~/app/navigation";
import { UploadIndicator } from "~/app/upload-indicator";
import classes from "./shell.module.css";

/** What is around every page: the navigation, and what is worth knowing everywhere. */
export function Shell() {
  const [opened, { toggle, close }] = useDisclosure();
  useHotkeys([["Escape", close]]);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const here = DESTINATIONS.find(({ to }) => path === to || path.startsWith(`${to}/`));

  useEffect(() => {
    document.title = here === undefined ? "Mediatheque" : `${here.label} · Mediatheque`;
  }, [here]);

  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 200, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding="md"
    >
      <button type="button" className={classes.skip} onClick={skipToMain}>
        Skip to the page
      </button>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger
              opened={opened}
              onClick={toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label="Menu"
              aria-expanded={opened}
            />
            <img src="/console/favicon.svg" alt="" width={26} height={26} />
            <Text fw={650}>Mediatheque</Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <UploadIndicator />
            <ColorScheme />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar
        p="xs"
        component="nav"
        aria-label="Pages"
        className={classes.navbar}
        data-closed={!opened || undefined}
      >
        {DESTINATIONS.map(({ to, label, icon: Icon }) => (
          <NavLink
            key={to}
            component={Link}
            to={to}
            label={label}
            leftSection={<Icon size={19} stroke={1.6} aria-hidden />}
            active={here?.to === to}
            aria-current={here?.to === to ? "page" : undefined}
            onClick={close}
            className={classes.link}
          />
        ))}
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1} className={classes.main}>
        <ConnectionBar />
        {here === undefined && <VisuallyHidden component="h1">Mediatheque</VisuallyHidden>}
        <Outlet />
      </AppShell.Main>
    </AppShell>
  );
}

/** The address behind the `#` names the page, so that a link cannot also name a place in it. */
function skipToMain() {
  document.getElementById("main")?.focus();
}
