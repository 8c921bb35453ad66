import { type CSSVariablesResolver, createTheme, type NotificationProps } from "@mantine/core";

/** A button that is only a cross needs a name. */
const CLOSABLE = { closeButtonProps: { "aria-label": "Close" } };

export const theme = createTheme({
  respectReducedMotion: true,
  primaryColor: "blue",
  // The eighth shade is the first on which white text has enough contrast.
  primaryShade: { light: 8, dark: 8 },
  defaultRadius: "md",
  cursorType: "pointer",
  autoContrast: true,
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace",
  components: {
    Modal: { defaultProps: CLOSABLE },
    Notification: {
      defaultProps: CLOSABLE,
      // Below a title, its own grey has too little contrast.
      styles: (_: unknown, { title }: NotificationProps) =>
        title ? { description: { color: "var(--mantine-color-dimmed)" } } : {},
    },
  },
});

/** Text in a colour or dimmed, with enough contrast (WCAG 2.2, 1.4.3) on tinted grounds too. */
export const cssVariables: CSSVariablesResolver = ({ colors }) => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": "#5c636a",
    "--mantine-color-placeholder": "#5c636a",
    ...Object.assign({}, ...Object.keys(colors).map(darkerText)),
  },
  dark: { "--mantine-color-dimmed": "#a3a3a3", "--mantine-color-placeholder": "#a3a3a3" },
});

function darkerText(color: string): Record<string, string> {
  const darkest = `var(--mantine-color-${color}-9)`;
  return {
    [`--mantine-color-${color}-text`]: `color-mix(in srgb, ${darkest} 85%, black)`,
    [`--mantine-color-${color}-light-color`]: `color-mix(in srgb, ${darkest} 70%, black)`,
  };
}

/** The nonce that the page's Content-Security-Policy wants of every style. */
export function styleNonce(): string {
  return document.querySelector<HTMLMetaElement>("meta[name=csp-nonce]")?.content ?? "";
}
