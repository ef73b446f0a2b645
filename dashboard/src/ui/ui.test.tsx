import { configureStore } from '@reduxjs/toolkit';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { Provider } from 'react-redux';
import { describe, expect, test, vi } from 'vitest';
import type { Node } from '../api/types';
import { colonyReducer } from '../state/colony';
import { arranged, cellAt, geometry, middle, pitchFor } from './Comb';
import { Confirm, type Question } from './confirm';
import { Flower } from './Flower';
import { bytes, since, until } from './format';
import { Failure, Loaded } from './parts';
import { parsed } from './yaml';

describe('what could be read, and what not', () => {
  test('loading, empty of errors, is announced', () => {
    render(<Loaded of={{ isLoading: true }}>{() => 'data'}</Loaded>);
    expect(screen.getByRole('status', { name: 'Loading' })).toBeInTheDocument();
  });

  test('what was read before stays, marked as not current', () => {
    const error = { status: 0, code: 'unreachable', detail: 'No gateway of the colony answers' };
    render(<Loaded of={{ isLoading: false, data: 'old data', error }}>{(data) => <p>{data}</p>}</Loaded>);
    expect(screen.getByText('old data')).toBeInTheDocument();
    expect(screen.getByRole('alert')).toHaveTextContent('Not current: No gateway of the colony answers');
  });

  test('an error can be tried again; a forbidden page cannot', async () => {
    const retry = vi.fn();
    const { rerender } = render(
      <Failure error={{ status: 503, code: 'busy', detail: 'Busy', hint: 'Wait' }} retry={retry} />,
    );
    expect(screen.getByRole('alert')).toHaveTextContent('BusyWait');
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(retry).toHaveBeenCalledOnce();
    rerender(
      <Failure error={{ status: 403, code: 'forbidden', detail: 'this needs role admin' }} retry={retry} />,
    );
    expect(screen.getByRole('alert')).toHaveTextContent(
      'Your role does not allow this. this needs role admin',
    );
    expect(screen.queryByRole('button')).toBeNull();
  });
});

describe('asking before something is done', () => {
  function ask(question: Question) {
    const close = vi.fn();
    const store = configureStore({ reducer: { colony: colonyReducer } });
    render(
      <Provider store={store}>
        <Confirm question={question} close={close} />
      </Provider>,
    );
    return { close, store };
  }

  test('a second try of the same thing has the same key, so it is done once', async () => {
    const keys: string[] = [];
    const act = (key: string) => {
      keys.push(key);
      const error = { status: 503, code: 'no-queen', detail: 'nobody reigns' };
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as RTK Query does
      return keys.length === 1 ? Promise.reject(error) : Promise.resolve('It is done.');
    };
    const { close, store } = ask({ title: 'Do it?', verb: 'Do it', act });
    await userEvent.click(screen.getByRole('button', { name: 'Do it' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('nobody reigns');
    expect(close).not.toHaveBeenCalled();
    await userEvent.click(screen.getByRole('button', { name: 'Do it' }));
    expect(keys[0]).toBe(keys[1]);
    expect(close).toHaveBeenCalledOnce();
    expect(store.getState().colony.notices[0]?.text).toBe('It is done.');
  });

  test('what cannot be undone has to be typed', async () => {
    const act = vi.fn(() => Promise.resolve(undefined));
    ask({ title: 'Remove n1?', verb: 'Remove', typed: 'n1', danger: true, act });
    expect(screen.getByRole('button', { name: 'Remove' })).toBeDisabled();
    await userEvent.type(screen.getByLabelText('Type n1 to go on'), 'n1');
    await userEvent.click(screen.getByRole('button', { name: 'Remove' }));
    expect(act).toHaveBeenCalledOnce();
  });
});

function node(name: string, more: Partial<Node> = {}): Node {
  return { id: name, name, role: 'member', status: 'ready', rank: 1, cordoned: false, ...more } as Node;
}

test('the council is told to who listens: roles, trouble, etcd leader, and that nobody reigns', () => {
  const members = [
    node('a', { role: 'queen' }),
    node('b', { role: 'heir', rank: 0 }),
    node('c', { status: 'suspect' }),
  ];
  const { rerender } = render(
    <Flower members={members} leader="c" seats={new Set(['a', 'c'])} vacantSince="" />,
  );
  expect(screen.getAllByRole('link').map((link) => link.getAttribute('aria-label'))).toEqual([
    'a: queen', 'b: heir, no seat yet', 'c: member, suspect, etcd leader',
  ]); // prettier-ignore
  rerender(<Flower members={members.slice(1)} leader="" seats={new Set()} vacantSince="since 12:00:00" />);
  expect(screen.getByText('no queen')).toBeInTheDocument();
});

describe('a comb', () => {
  test.each([
    [1, 700],
    [5, 700],
    [1000, 700],
    [10_000, 331],
  ])('of %i cells: each one is found where it is drawn', (cells, width) => {
    const shape = geometry(cells, width, pitchFor(cells, width, 250));
    for (let index = 0; index < cells; index += 1) {
      const [x, y] = middle(index, shape);
      expect(x).toBeLessThanOrEqual(width);
      expect(y).toBeLessThanOrEqual(shape.height);
      expect(cellAt(x, y, cells, shape)).toBe(index);
    }
    expect(cellAt(-50, 10, cells, shape)).toBe(-1);
  });

  test('ten thousand have room in one picture', () => {
    const pitch = pitchFor(10_000, 760, 250);
    expect(geometry(10_000, 760, pitch).height).toBeLessThan(400);
  });

  test('trouble is seen first', () => {
    const nodes = [
      node('a'),
      node('b', { status: 'left' }),
      node('c', { status: 'suspect' }),
      node('d', { status: 'dead' }),
    ];
    expect(arranged(nodes).map((one) => one.name)).toEqual(['d', 'c', 'a', 'b']);
  });
});

test('text that is no YAML is told by its line, and nothing may grow out of aliases', () => {
  expect(parsed('a: 1\nb: [').error).toMatch(/^Line 2/);
  expect(parsed('- 1').error).toContain('mapping');
  expect(parsed('a: &x [1]\nb: *x').error).not.toBe('');
  expect(parsed('size: 3')).toEqual({ value: { size: 3 }, error: '' });
});

test('times and sizes are said shortly', () => {
  expect([since(0, 45), since(0, 600), since(0, 7200), since(0, 864_000)]).toEqual([
    '45 s',
    '10 min',
    '2 h',
    '10 d',
  ]);
  expect([until(10, 20), until(80, 20)]).toEqual(['now', 'in 60 s']);
  expect([bytes(10), bytes(2048), bytes(5 << 20)]).toEqual(['10 B', '2.0 KiB', '5 MiB']);
});
