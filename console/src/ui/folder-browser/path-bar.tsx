import { Anchor, Breadcrumbs, Text } from "@mantine/core";
import { isWithin, lastName } from "~/api/folders";

/** The path of a root can be longer than a phone is wide. */
const WRAPPED = { whiteSpace: "normal", overflowWrap: "anywhere" } as const;

interface Step {
  name: string;
  path: string;
}

/** The way from the root to the folder that is open; every folder of it can be gone back to. */
export function PathBar(props: { path: string; roots: string[]; onOpen: (path: string) => void }) {
  const { path, roots, onOpen } = props;
  const steps = stepsTo(path, roots);
  return (
    <Breadcrumbs
      component="nav"
      aria-label="Open folder"
      separatorMargin={6}
      fz="sm"
      styles={{ breadcrumb: WRAPPED }}
    >
      {steps.map(({ name, path: to }, index) =>
        index === steps.length - 1 ? (
          <Text key={to} size="sm" fw={600} aria-current="location">
            {name}
          </Text>
        ) : (
          <Anchor
            key={to}
            component="button"
            type="button"
            size="sm"
            ta="left"
            onClick={() => onOpen(to)}
          >
            {name}
          </Anchor>
        ),
      )}
    </Breadcrumbs>
  );
}

function stepsTo(path: string, roots: string[]): Step[] {
  const steps: Step[] = roots.length === 1 ? [] : [{ name: "All folders", path: "" }];
  const root = roots.find((one) => isWithin(path, one));
  if (root === undefined) return steps;
  steps.push({ name: root, path: root });
  const names = path.slice(root.length).split("/").filter(Boolean);
  names.forEach((name, index) => {
    steps.push({ name, path: `${root}/${names.slice(0, index + 1).join("/")}` });
  });
  return steps.length > 0 ? steps : [{ name: lastName(path), path }];
}
