export type Progress = {
  /** Runs `work`, then prints its `detail` and how long it took; says in between that it is a long one. */
  step: <T>(name: string, work: () => Promise<{ value: T; detail: string }>) => Promise<T>;
  line: (text: string) => void;
};

const slowMs = 2_000;

/** Plain lines, aligned; they read the same in a terminal, a file and a journal. */
export function createProgress(print: (line: string) => void): Progress {
  const row = (name: string, detail: string, time = "") =>
    print(`zpack  ${name.padEnd(14)}${detail.padEnd(30)}${time.padStart(8)}`.trimEnd());
  return {
    line: (text) => print(`zpack  ${text}`),
    async step(name, work) {
      const started = performance.now();
      const timer = setTimeout(() => row(name, "still working ..."), slowMs);
      try {
        const { value, detail } = await work();
        row(name, detail, `${((performance.now() - started) / 1000).toFixed(1)} s`);
        return value;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
