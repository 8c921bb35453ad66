import { Button } from "@mantine/core";
import { IconFiles, IconFolder } from "@tabler/icons-react";
import { type ChangeEvent, useEffect, useRef } from "react";
import { chosenFiles, type FoundFiles, filesOfHandle, filesOfHandles } from "~/uploads/added-files";

/** The ways to choose files without dragging them. */
export function ChooseButtons({ add }: { add: (files: FoundFiles) => void }) {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (folder.current !== null) folder.current.webkitdirectory = true; // unknown to React's types
  }, []);

  // What the browser's own dialogs return can be read again after a reload; a form's field cannot.
  const chooseFiles = async () => {
    if (window.showOpenFilePicker === undefined) return files.current?.click();
    const chosen = await window.showOpenFilePicker({ multiple: true }).catch(whenClosed);
    if (chosen !== null) add(filesOfHandles(chosen));
  };
  const chooseFolder = async () => {
    if (window.showDirectoryPicker === undefined) return folder.current?.click();
    const chosen = await window.showDirectoryPicker().catch(whenClosed);
    if (chosen !== null) add(filesOfHandle(chosen, "", chosen));
  };
  const take = async ({ currentTarget }: ChangeEvent<HTMLInputElement>) => {
    if (currentTarget.files !== null) add(chosenFiles(currentTarget.files));
  };

  return (
    <>
      <Button leftSection={<IconFiles size={18} aria-hidden />} onClick={chooseFiles}>
        Choose files
      </Button>
      <Button
        variant="default"
        leftSection={<IconFolder size={18} aria-hidden />}
        onClick={chooseFolder}
      >
        Choose a folder
      </Button>
      <input ref={files} type="file" multiple hidden onChange={take} aria-label="Files" />
      <input ref={folder} type="file" hidden onChange={take} aria-label="Folder" />
    </>
  );
}

function whenClosed(reason: unknown): null {
  if (reason instanceof DOMException && reason.name === "AbortError") return null;
  throw reason;
}
