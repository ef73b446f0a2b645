import { configureStore, type Middleware } from '@reduxjs/toolkit';
import { useDispatch, useSelector } from 'react-redux';
import { colonyApi } from '../api/colony';
import { colonyReducer, reigns } from './colony';
import { sessionReducer, storeSession } from './session';

/** Whoever reads the cluster, the page's picture of the reign follows. */
const reign: Middleware = (api) => (next) => (action) => {
  const result = next(action);
  if (colonyApi.endpoints.cluster.matchFulfilled(action)) {
    api.dispatch(reigns({ cluster: action.payload, now: Date.now() }));
  }
  return result;
};

export function makeStore() {
  const store = configureStore({
    reducer: { session: sessionReducer, colony: colonyReducer, [colonyApi.reducerPath]: colonyApi.reducer },
    middleware: (usual) =>
      // Ten thousand nodes are not looked through at every action.
      usual({ immutableCheck: false, serializableCheck: false }).concat(colonyApi.middleware, reign),
  });
  let stored = store.getState().session.current;
  store.subscribe(() => {
    const { current } = store.getState().session;
    if (current !== stored) storeSession((stored = current));
  });
  return store;
}

export type Store = ReturnType<typeof makeStore>;
export type State = ReturnType<Store['getState']>;
export const useAppDispatch = useDispatch.withTypes<Store['dispatch']>();
export const useAppSelector = useSelector.withTypes<State>();
