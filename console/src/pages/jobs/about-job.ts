import {
  type Icon,
  IconFolderSymlink,
  IconListDetails,
  IconRefresh,
  IconSparkles,
  IconTrash,
  IconVideo,
} from "@tabler/icons-react";
import { lastName, pathOf } from "~/api/folders";
import type { Job } from "~/api/jobs";
import { countOf } from "~/ui/format";

const ICONS: Record<string, Icon> = {
  transfer: IconFolderSymlink,
  sync: IconRefresh,
  recording: IconVideo,
  processing: IconSparkles,
  janitor: IconTrash,
};

/** The classes of jobs that this version of the service has. */
export const JOB_CLASSES = Object.keys(ICONS);

export function jobIcon(job: Job): Icon {
  return ICONS[job.job_class] ?? IconListDetails;
}

/** Return what a job does, in a few words. */
export function jobTitle(job: Job): string {
  switch (job.job_class) {
    case "transfer":
      return transferTitle(texts(job.arguments.sources), Number(job.arguments.count));
    case "sync": {
      const plan = job.arguments.dry_run === true ? "Plan of a sync" : "Sync";
      return `${plan} of ${job.arguments.source || "all uploads"} to ${job.arguments.dest}`;
    }
    case "processing":
      return processingTitle(texts(job.arguments.steps), texts(job.arguments.medias).length);
    case "recording":
      return "Finishing a recording";
    case "janitor":
      return "Removing leftovers";
    default:
      return job.job_class;
  }
}

function transferTitle(sources: string[], count: number): string {
  const first = lastName(pathOf(sources[0] ?? "").replace(/\/$/, ""));
  const others = count > 1 ? ` and ${countOf(count - 1, "other")}` : "";
  return `Transfer of ${first}${others}`;
}

function processingTitle(steps: string[], medias: number): string {
  const about = countOf(medias, "media");
  if (steps.length === 1 && steps[0] === "probe") return `Looking into ${about}`;
  return `Making ${steps.filter((step) => step !== "probe").join(", ")} of ${about}`;
}

/** Return an argument that is a list of texts, empty when it is not. */
export function texts(argument: unknown): string[] {
  return Array.isArray(argument) ? argument.map(String) : [];
}
