import {
  type Icon,
  IconBooks,
  IconCloudUpload,
  IconFolderSymlink,
  IconListDetails,
  IconRefresh,
  IconServer,
  IconVideo,
} from "@tabler/icons-react";

export interface Destination {
  to: "/library" | "/upload" | "/record" | "/transfers" | "/sync" | "/jobs" | "/system";
  label: string;
  icon: Icon;
}

export const DESTINATIONS: Destination[] = [
  { to: "/library", label: "Library", icon: IconBooks },
  { to: "/upload", label: "Upload", icon: IconCloudUpload },
  { to: "/record", label: "Record", icon: IconVideo },
  { to: "/transfers", label: "Transfers", icon: IconFolderSymlink },
  { to: "/sync", label: "Sync", icon: IconRefresh },
  { to: "/jobs", label: "Jobs", icon: IconListDetails },
  { to: "/system", label: "System", icon: IconServer },
];
