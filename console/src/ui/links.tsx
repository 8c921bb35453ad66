import { Anchor, type AnchorProps, Button, type ButtonProps } from "@mantine/core";
import { createLink } from "@tanstack/react-router";
import type { AnchorHTMLAttributes, Ref } from "react";

type Native = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof AnchorProps | keyof ButtonProps>;
type Referred = { ref?: Ref<HTMLAnchorElement> };

/** A text that leads to another page; its address is typed, unlike with `component={Link}`. */
export const LinkAnchor = createLink((props: AnchorProps & Native & Referred) => (
  <Anchor {...props} />
));

/** A button that leads to another page. */
export const LinkButton = createLink((props: ButtonProps & Native & Referred) => (
  <Button component="a" {...props} />
));
