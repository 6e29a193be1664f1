#!/usr/bin/env escript
%% -*- erlang -*-
%% Runs histories through OTP's supervisor and prints what it did, a line for each step: `+a` for a start, `~a` for a
%% start that failed, `-a` for a stop that was ordered, `gone` when the supervisor has ended. A history ends with `.`.
%%
%% The file that it is given holds a term for each history, {Group, Steps}. A group is
%% {Strategy, MaxRestarts, Period, AutoShutdown, [{Name, Restart, Significant} | {Name, Group}]}.
-mode(compile).
-export([init/1, start_child/1, start_group/2, live/1]).

main([File]) ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    [ets:new(Table, [named_table, public, ordered_set]) || Table <- [trace, fails, lives]],
    {ok, Histories} = file:consult(File),
    lists:foreach(fun history/1, Histories).

history({Group, Steps}) ->
    [ets:delete_all_objects(Table) || Table <- [trace, fails, lives]],
    {ok, Sup} = start_group(root, Group),
    tell(Sup),
    lists:foreach(fun(Step) -> take(Sup, Step), tell(Sup) end, Steps),
    case is_process_alive(Sup) of
        true ->
            exit(Sup, shutdown),
            receive {'EXIT', Sup, _} -> ok end;
        false ->
            receive {'EXIT', Sup, _} -> ok after 0 -> ok end
    end,
    tell(Sup),
    io:format(".~n").

%% One step, and everything that follows from it.
take(_, {wait, Ms}) ->
    timer:sleep(Ms);
take(_, {fail, Name, Times}) ->
    ets:insert(fails, {Name, Times});
take(Sup, {How, Name}) when How =:= crash; How =:= leave ->
    case ets:lookup(lives, Name) of
        [{Name, Pid, Parent}] ->
            Pid ! How,
            wait_for(fun() -> not is_process_alive(Pid) end),
            wait_for(fun() -> not is_child(Parent, Pid) end),
            settle(Sup);
        [] -> ok
    end;
take(Sup, {stop, Name}) ->
    is_process_alive(Sup) andalso supervisor:terminate_child(Sup, Name);
take(Sup, {start, Name}) ->
    is_process_alive(Sup) andalso supervisor:restart_child(Sup, Name).

is_child(Parent, Pid) ->
    lists:any(fun({_, Child, _, _}) -> Child =:= Pid end, children(Parent)).

%% Waits until no start is to be tried again, in no group.
settle(Sup) ->
    wait_for(fun() -> is_settled(Sup) end).

is_settled(Sup) ->
    lists:all(
        fun({_, restarting, _, _}) -> false;
           ({_, Pid, supervisor, _}) when is_pid(Pid) -> is_process_alive(Pid) andalso is_settled(Pid);
           ({_, Pid, _, _}) when is_pid(Pid) -> is_process_alive(Pid);
           (_) -> true
        end,
        children(Sup)
    ).

children(Sup) ->
    try supervisor:which_children(Sup) catch exit:_ -> [] end.

wait_for(Is) ->
    case Is() of
        true -> ok;
        false -> erlang:yield(), wait_for(Is)
    end.

tell(Sup) ->
    Said = [Text || {_, Text} <- ets:tab2list(trace)],
    ets:delete_all_objects(trace),
    Gone = case is_process_alive(Sup) of true -> []; false -> ["gone"] end,
    io:format("~s~n", [string:join(Said ++ Gone, " ")]).

note(Mark, Name) ->
    ets:insert(trace, {erlang:unique_integer([monotonic]), Mark ++ atom_to_list(Name)}).

start_group(Name, Group) ->
    supervisor:start_link({local, Name}, ?MODULE, Group).

init({Strategy, Max, Period, AutoShutdown, Children}) ->
    Flags = #{strategy => Strategy, intensity => Max, period => Period, auto_shutdown => AutoShutdown},
    {ok, {Flags, [spec(Child) || Child <- Children]}}.

spec({Name, Restart, Significant}) ->
    #{id => Name, start => {?MODULE, start_child, [Name]}, restart => Restart, significant => Significant};
spec({Name, Group}) ->
    #{id => Name, start => {?MODULE, start_group, [Name, Group]}, type => supervisor, shutdown => infinity}.

start_child(Name) ->
    case ets:lookup(fails, Name) of
        [{Name, Times}] when Times > 0 ->
            ets:insert(fails, {Name, Times - 1}),
            note("~", Name),
            {error, told_to_fail};
        _ ->
            note("+", Name),
            {ok, Pid} = proc_lib:start_link(?MODULE, live, [{Name, self()}]),
            ets:insert(lives, {Name, Pid, self()}),
            {ok, Pid}
    end.

live({Name, Parent}) ->
    process_flag(trap_exit, true),
    %% Before this, an order to stop would end it unheard.
    proc_lib:init_ack({ok, self()}),
    receive
        crash -> exit(crashed);
        leave -> exit(normal);
        {'EXIT', Parent, Reason} ->
            note("-", Name),
            exit(Reason)
    end.
