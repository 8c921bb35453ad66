import { useEffect, useState } from "react";
import { droppedFiles, type FoundFiles } from "~/uploads/added-files";

/** Take files that are dropped anywhere in the window. Tells whether some hover over it. */
export function useFileDrop(add: (files: FoundFiles) => void): boolean {
  const [hovering, setHovering] = useState(false);

  useEffect(() => {
    let depth = 0; // every element that is entered and left says so
    const become = (next: number) => {
      depth = next;
      setHovering(depth > 0);
    };
    const enter = (event: DragEvent) => hasFiles(event) && become(depth + 1);
    const leave = (event: DragEvent) => hasFiles(event) && become(Math.max(depth - 1, 0));
    const over = (event: DragEvent) => {
      if (hasFiles(event)) event.preventDefault(); // else the browser opens the file
    };
    const drop = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      become(0);
      if (event.dataTransfer !== null) add(droppedFiles(event.dataTransfer.items));
    };
    window.addEventListener("dragenter", enter);
    window.addEventListener("dragleave", leave);
    window.addEventListener("dragover", over);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragenter", enter);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("dragover", over);
      window.removeEventListener("drop", drop);
    };
  }, [add]);

  return hovering;
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}
