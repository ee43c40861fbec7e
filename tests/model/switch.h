// SWITCH(NO_X) is 1 if the preprocessor got -DNO_X, else 0. Each lock, touch and look of a model
// names its switch where it stands.
#define SWITCH_IF_1 ,
#define SECOND_OF(first, second, ...) second
#define SWITCH_OF_IF(comma) SECOND_OF(comma 1, 0, )
#define SWITCH_OF(value) SWITCH_OF_IF(SWITCH_IF_##value)
#define SWITCH(name) SWITCH_OF(name)

// Locks `row`, unless the switch takes the lock out.
#define CAN_LOCK(row, name) (SWITCH(name) || row == FREE)
#define LOCK(row, name) CAN_LOCK(row, name) -> row = (SWITCH(name) -> row : _pid)
#define UNLOCK(row) row = (row == _pid -> FREE : row)
#define FREE 255

// What a transaction finds when it looks; true, if the switch takes the look out.
#define LOOK(found, name) (SWITCH(name) || (found))
// What a step writes; `without`, if the switch takes it out.
#define WRITE(value, name, without) (SWITCH(name) -> (without) : (value))
