import { useNavigate, useSearch } from "@tanstack/react-router";

/** Return a search parameter of the page as a text, empty without it, and how to set it. */
export function useSearchText(name: string): [string, (value: string) => void] {
  const search = useSearch({ strict: false });
  const navigate = useNavigate();
  const value = search[name];
  const set = (text: string) =>
    navigate({
      to: ".",
      search: (old) => ({ ...old, [name]: text === "" ? undefined : text }),
      replace: true,
    });
  return [value === undefined ? "" : String(value), set];
}
