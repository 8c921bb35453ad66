import { Text, type TextProps } from "@mantine/core";
import type { ReactNode } from "react";

/** A red that can be read on either background: the theme's own has too little contrast. */
export const DANGER = "light-dark(var(--mantine-color-red-9), var(--mantine-color-red-4))";

/** A text about what went wrong, or what goes away. */
export function Danger({ children, ...props }: TextProps & { children: ReactNode }) {
  return (
    <Text c={DANGER} {...props}>
      {children}
    </Text>
  );
}
