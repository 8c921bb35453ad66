import "~/app/mantine.css";
import "@mantine/notifications/styles.css";
import "~/app/motion.css";
import { MantineProvider } from "@mantine/core";
import { ModalsProvider } from "@mantine/modals";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { JobEventsProvider } from "~/api/events";
import { queryClient } from "~/api/queries";
import { router } from "~/app/router";
import { cssVariables, styleNonce, theme } from "~/app/theme";

const root = document.getElementById("root");
if (root === null) throw new Error("The page has no element to show the console in.");

// What keeps the page still behind a dialog looks for the nonce under this name.
Object.assign(globalThis, { __webpack_nonce__: styleNonce() });

createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariables}
      defaultColorScheme="auto"
      getStyleNonce={styleNonce}
    >
      <QueryClientProvider client={queryClient}>
        <JobEventsProvider>
          <ModalsProvider>
            <Notifications position="bottom-right" />
            <RouterProvider router={router} />
          </ModalsProvider>
        </JobEventsProvider>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
