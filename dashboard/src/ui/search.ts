// What is chosen on a page is in its address.

import { useSearchParams } from 'react-router';

/** What the address says, and how to say something else; "" takes it out. */
export function useSearch(): [URLSearchParams, (name: string, value: string) => void] {
  const [search, setSearch] = useSearchParams();
  const set = (name: string, value: string) => {
    setSearch(
      (old) => {
        const next = new URLSearchParams(old);
        if (value === '') next.delete(name);
        else next.set(name, value);
        return next;
      },
      { replace: true },
    );
  };
  return [search, set];
}
